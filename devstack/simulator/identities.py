"""Who sent a request: the Authorization header, and the account and role that its access key belongs to."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from devstack.simulator import errors
from devstack.simulator.draw import Draw, digest
from devstack.simulator.organization import Organization, Role
from devstack.simulator.sessions import InvalidSessionError, Sessions
from devstack.simulator.statistics import Statistics

SERVICES: Final = ("cloudtrail", "ec2", "organizations", "sts")
"""The services that the simulator serves, by the names that requests are signed for."""

_CREDENTIAL = re.compile(
    rf"AWS4-HMAC-SHA256 Credential=(\w+)/\d{{8}}/([\w-]+)/({'|'.join(SERVICES)})/aws4_request,"
)


@dataclass(frozen=True, slots=True)
class Signer:
    """The signature's access key, region and service, and the session token that came with it.

    The signature is not checked, because the secret is unknown.
    """

    access_key: str
    region: str
    service: str
    token: str | None = None


def read_signer(headers: Mapping[str, str]) -> Signer:
    """Return the signer in a request's headers.

    :raises ApiError: there is none, or it is not Signature Version 4 for one of the services
    """
    authorization = headers.get("Authorization")
    if not authorization:
        raise errors.unsigned()
    found = _CREDENTIAL.match(authorization)
    if found is None:
        raise errors.incomplete_signature()
    return Signer(found[1], found[2], found[3], headers.get("X-Amz-Security-Token"))


@dataclass(frozen=True, slots=True)
class Identity:
    """The account of a request, and the IAM user or the session of a role that sent it."""

    account: str
    arn: str
    user_id: str
    role: Role | None = None

    def check(self, action: str) -> None:
        """Check the permission for an action, such as ``ec2:DescribeRegions``.

        :raises ApiError: the role has no permission
        """
        if self.role is not None and action in self.role.denied:
            raise errors.access_denied(self.arn, action)


class Identities:
    """Finds the identity behind a signer. `now` returns epoch seconds.

    :param account_of: returns the account of an access key that is not of a session; None rejects the key
    """

    def __init__(
        self,
        organization: Organization,
        sessions: Sessions,
        account_of: Callable[[str], str | None],
        statistics: Statistics,
        now: Callable[[], float],
    ) -> None:
        self._organization = organization
        self._sessions = sessions
        self._account_of = account_of
        self._statistics = statistics
        self._now = now

    def find(self, signed: Signer) -> Identity:
        """Return the identity of a signer.

        :raises ApiError: the credentials are not valid, or the session has expired
        """
        if self._sessions.has_issued(signed.access_key):
            return self._of_session(signed)
        account = self._account_of(signed.access_key)
        if account is None:
            raise errors.unrecognized_client()
        return Identity(account, f"arn:aws:iam::{account}:user/loader", unique_id("AIDA", account, "loader"))

    def _of_session(self, signed: Signer) -> Identity:
        try:
            session = self._sessions.read(signed.access_key, signed.token)
        except InvalidSessionError:
            raise errors.unrecognized_client() from None
        if self._sessions.has_expired(session, self._now()):
            self._statistics.accounts[session.account].expired += 1
            raise errors.expired_credentials()
        member = self._organization.find(session.account)
        role = member.find_role(session.role) if member else None
        # As in AWS: the sessions of a deleted role have no identity any more.
        if role is None:
            raise errors.unrecognized_client()
        user_id = f"{unique_id('AROA', session.account, role.name)}:{session.name}"
        return Identity(session.account, role.session_arn(session.account, session.name), user_id, role)


def unique_id(prefix: str, account: str, name: str) -> str:
    """Return the unique id that IAM gives a user or a role."""
    return prefix + Draw(int.from_bytes(digest(prefix, account, name), "big")).upper(17)
