"""AssumeRole and GetCallerIdentity without HTTP.

https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from devstack.simulator import errors
from devstack.simulator.identities import Identity, unique_id
from devstack.simulator.organization import Member, Organization, Role, is_role_arn
from devstack.simulator.sessions import Sessions
from devstack.simulator.statistics import Statistics
from devstack.simulator.values import iso_time

_SESSION_NAME: Final = r"[\w+=,.@-]*"
_EXTERNAL_ID: Final = r"[\w+=,.@:\/-]*"
_SHORTEST: Final = 900
_LONGEST: Final = 43_200
_CHAINED: Final = 3600
"""The longest duration in seconds if a session of a role assumes the role."""


class AssumeRole:
    """Gives out sessions of the organization's roles. `now` returns epoch seconds."""

    def __init__(
        self, organization: Organization, sessions: Sessions, statistics: Statistics, now: Callable[[], float]
    ) -> None:
        self._organization = organization
        self._sessions = sessions
        self._statistics = statistics
        self._now = now

    def answer(self, parameters: Mapping[str, str], caller: Identity) -> dict[str, Any]:
        """Return the credentials of a new session.

        AWS answers in the same words if the role does not exist, does not trust the caller, or requires another
        external id: it does not reveal which.

        :raises ApiError: a parameter is not valid, or the caller may not assume the role
        """
        arn = _required(parameters, "RoleArn", 20, 2048)
        name = _matching(_required(parameters, "RoleSessionName", 2, 64), "roleSessionName", _SESSION_NAME)
        duration = _read_duration(parameters.get("DurationSeconds"))
        external_id = parameters.get("ExternalId")
        if external_id is not None:
            _matching(_sized(external_id, "externalId", 2, 1224), "externalId", _EXTERNAL_ID)
        if not is_role_arn(arn):
            raise errors.invalid_parameter(f"{arn} is invalid")
        member, role = self._find(arn, caller, external_id)
        _check_duration(duration, role, caller)
        return self._open(member, role, name, duration)

    def _find(self, arn: str, caller: Identity, external_id: str | None) -> tuple[Member, Role]:
        found = self._organization.find_role(arn)
        if found is not None:
            member, role = found
            trusts = caller.account in role.trusted and role.external_id in (None, external_id)
            if trusts and member.state == "ACTIVE":
                return member, role
        raise errors.role_not_assumed(caller.arn, arn)

    def _open(self, member: Member, role: Role, name: str, duration: int) -> dict[str, Any]:
        expires = int(self._now() + (duration if role.lifetime is None else role.lifetime))
        self._statistics.accounts[member.id].sessions += 1
        self._statistics.session_names[name] += 1
        credentials = self._sessions.issue(member.id, role.name, name, expires)
        return {
            "Credentials": {
                "AccessKeyId": credentials.access_key,
                "SecretAccessKey": credentials.secret_key,
                "SessionToken": credentials.token,
                "Expiration": iso_time(expires),
            },
            "AssumedRoleUser": {
                "AssumedRoleId": f"{unique_id('AROA', member.id, role.name)}:{name}",
                "Arn": role.session_arn(member.id, name),
            },
        }


def describe_caller(caller: Identity) -> dict[str, Any]:
    """Return the answer of GetCallerIdentity, which needs no permission."""
    return {"UserId": caller.user_id, "Account": caller.account, "Arn": caller.arn}


def _required(parameters: Mapping[str, str], name: str, least: int, most: int) -> str:
    member = f"{name[:1].lower()}{name[1:]}"
    value = parameters.get(name)
    if value is None:
        raise errors.invalid_parameter(
            f"1 validation error detected: Value null at '{member}' failed to satisfy constraint: "
            "Member must not be null"
        )
    return _sized(value, member, least, most)


def _sized(value: str, member: str, least: int, most: int) -> str:
    if len(value) < least:
        raise _unsatisfied(value, member, f"have length greater than or equal to {least}")
    if len(value) > most:
        raise _unsatisfied(value, member, f"have length less than or equal to {most}")
    return value


def _matching(value: str, member: str, pattern: str) -> str:
    if not re.fullmatch(pattern, value, re.ASCII):
        raise _unsatisfied(value, member, f"satisfy regular expression pattern: {pattern}")
    return value


def _read_duration(text: str | None) -> int:
    if text is None:
        return 3600
    if not text.isdecimal():
        raise errors.invalid_parameter(f"DurationSeconds is not a whole number: {text!r}")
    if int(text) < _SHORTEST:
        raise _unsatisfied(text, "durationSeconds", f"have value greater than or equal to {_SHORTEST}")
    if int(text) > _LONGEST:
        raise _unsatisfied(text, "durationSeconds", f"have value less than or equal to {_LONGEST}")
    return int(text)


def _check_duration(duration: int, role: Role, caller: Identity) -> None:
    if caller.role is not None and duration > _CHAINED:
        raise errors.invalid_parameter(
            "The requested DurationSeconds exceeds the 1 hour session limit for roles assumed by role chaining"
        )
    if duration > role.max_duration:
        raise errors.invalid_parameter(
            "The requested DurationSeconds exceeds the MaxSessionDuration set for this role."
        )


def _unsatisfied(value: str, member: str, constraint: str) -> errors.ApiError:
    return errors.invalid_parameter(
        f"1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: "
        f"Member must {constraint}"
    )
