"""The accounts of an organization, their states and regions, and the roles that can be assumed in them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from devstack.simulator.draw import digest, uniform

DEFAULT_ACCOUNT: Final = "123456789012"

STATES: Final = ("PENDING_ACTIVATION", "ACTIVE", "SUSPENDED", "PENDING_CLOSURE", "CLOSED")
"""https://docs.aws.amazon.com/organizations/latest/APIReference/API_Account.html"""

_ID = re.compile(r"\d{12}")
_ROLE_NAME = re.compile(r"(?:[\w+=,.@-]+/)*[\w+=,.@-]{1,64}", re.ASCII)
_ROLE_ARN = re.compile(r"arn:aws:iam::(\d{12}):role/([\x21-\x7e]+)")


@dataclass(frozen=True, slots=True)
class Role:
    """A role of an account.

    :param name: with its path, such as ``security/audit``
    :param trusted: the accounts whose identities may assume it
    :param external_id: the external id that its trust policy requires; None for none
    :param lifetime: seconds until its sessions expire, also less than the 900 that AWS requires; None for the
        duration that the caller asks for
    :param max_duration: the longest duration that a caller may ask for, in seconds
    :param denied: actions that its permission policy lacks, such as ``cloudtrail:LookupEvents``
    """

    name: str
    trusted: tuple[str, ...] = (DEFAULT_ACCOUNT,)
    external_id: str | None = None
    lifetime: float | None = None
    max_duration: int = 3600
    denied: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not _ROLE_NAME.fullmatch(self.name):
            raise ValueError(f"not the name of a role: {self.name!r}")

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Role:
        """Return the role that a JSON object describes.

        :raises TypeError: it has an unknown member, or lacks the name
        :raises ValueError: the name is not valid
        """
        return cls(**{**body, **{name: tuple(body[name]) for name in ("trusted", "denied") if name in body}})

    def arn(self, account: str) -> str:
        """Return the role's ARN in an account."""
        return f"arn:aws:iam::{account}:role/{self.name}"

    def session_arn(self, account: str, session: str) -> str:
        """Return the ARN of a session, which leaves out the path of the role."""
        return f"arn:aws:sts::{account}:assumed-role/{self.name.rpartition('/')[2]}/{session}"


@dataclass(frozen=True, slots=True)
class Member:
    """An account of the organization.

    :param regions: the regions that it has enabled; None for the simulator's
    :param activity: its events per event of a busy account; None for the simulator's `activity`
    :param shares: each region's events per event of the busiest one; None for the simulator's `shares`
    """

    id: str
    name: str = ""
    email: str = ""
    state: str = "ACTIVE"
    roles: tuple[Role, ...] = ()
    regions: tuple[str, ...] | None = None
    activity: float | None = None
    shares: Mapping[str, float] | None = None

    def __post_init__(self) -> None:
        if not _ID.fullmatch(self.id):
            raise ValueError(f"an account's id has 12 digits: {self.id!r}")
        if self.state not in STATES:
            raise ValueError(f"an account's state is one of {STATES}: {self.state!r}")

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Member:
        """Return the account that a JSON object describes.

        :raises TypeError: it has an unknown member, or lacks one
        :raises ValueError: a value is not valid
        """
        regions = body.get("regions")
        roles = tuple(Role.read(role) for role in body.get("roles", ()))
        return cls(**{**body, "roles": roles, "regions": None if regions is None else tuple(regions)})

    def find_role(self, name: str) -> Role | None:
        """Return the role with this name and path."""
        return next((role for role in self.roles if role.name == name), None)


class Organization:
    """The accounts, which tests change while the simulator runs. Without members there is no organization.

    :param management: the management account, which is a member of every organization
    :param administrators: accounts to which it has delegated the administration
    """

    def __init__(
        self, members: Iterable[Member], management: str = DEFAULT_ACCOUNT, administrators: Iterable[str] = ()
    ) -> None:
        self.management = management
        self.administrators = frozenset(administrators)
        given = {member.id: member for member in members}
        own = {management: Member(management, "Management")} if given else {}
        self._members = {**own, **given}

    def members(self) -> list[Member]:
        """Return all accounts, in whichever state."""
        return [*self._members.values()]

    def find(self, account: str) -> Member | None:
        """Return an account; None if it is no member."""
        return self._members.get(account)

    def find_role(self, arn: str) -> tuple[Member, Role] | None:
        """Return the role with this ARN, and its account."""
        found = _ROLE_ARN.fullmatch(arn)
        member = self._members.get(found[1]) if found else None
        role = member.find_role(found[2]) if found and member else None
        return (member, role) if member and role else None

    def put_role(self, account: str, role: Role) -> None:
        """Create a role, or replace the one with the same name.

        :raises KeyError: the account is no member
        """
        member = self._members[account]
        others = tuple(other for other in member.roles if other.name != role.name)
        self._members[account] = replace(member, roles=(*others, role))

    def remove_role(self, account: str, name: str) -> None:
        """Delete a role, if it exists.

        :raises KeyError: the account is no member
        """
        member = self._members[account]
        kept = tuple(role for role in member.roles if role.name != name)
        self._members[account] = replace(member, roles=kept)

    def may_list(self, account: str) -> bool:
        """Return whether an account may list all accounts."""
        return account == self.management or account in self.administrators


def make_members(
    count: int, role: Role, *, busy: int = 2, quiet: float = 0.004, seed: int = 1
) -> tuple[Member, ...]:
    """Return accounts with the same role, the same ones in every process.

    :param busy: of them, the first ones; each has as many events as the default account
    :param quiet: the most events of another account, per event of a busy one
    """
    return tuple(
        Member(
            _make_id(seed, number),
            f"Team {number + 1:02}",
            f"team-{number + 1:02}@example.com",
            roles=(role,),
            activity=1.0 if number < busy else quiet * uniform("quiet", seed, number),
        )
        for number in range(count)
    )


def _make_id(seed: int, number: int) -> str:
    return f"{200_000_000_000 + int.from_bytes(digest('member', seed, number), 'big') % 700_000_000_000}"


def is_role_arn(text: str) -> bool:
    """Return whether a text has the form of a role's ARN."""
    return _ROLE_ARN.fullmatch(text) is not None
