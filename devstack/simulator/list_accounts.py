"""ListAccounts without HTTP.

https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccounts.html
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from typing import Any, Final

from devstack.simulator import errors
from devstack.simulator.identities import Identity
from devstack.simulator.organization import Member, Organization

ORGANIZATION: Final = "o-exampleorgid"

_MOST: Final = 20
_JOINED: Final = 1_600_000_000


def list_accounts(organization: Organization, body: Mapping[str, Any], caller: Identity) -> dict[str, Any]:
    """Return a page of the organization's accounts, by default 20.

    An account has its `State`, and no `Status`: AWS has announced that `Status` is retired on 9 September 2026.

    :raises ApiError: there is no organization, the caller's account may not list it, or a parameter is not valid
    """
    members = organization.members()
    if not members:
        raise errors.no_organization()
    if not organization.may_list(caller.account):
        raise errors.organization_denied()
    first, most = _read_token(body.get("NextToken")), _read_most(body.get("MaxResults"))
    accounts = [_describe(member, organization.management) for member in members[first : first + most]]
    end = first + most
    return {"Accounts": accounts, **({"NextToken": _make_token(end)} if end < len(members) else {})}


def _describe(member: Member, management: str) -> dict[str, Any]:
    return {
        "Id": member.id,
        "Arn": f"arn:aws:organizations::{management}:account/{ORGANIZATION}/{member.id}",
        "Email": member.email or f"{member.id}@example.com",
        "Name": member.name or member.id,
        "State": member.state,
        "JoinedMethod": "INVITED" if member.id == management else "CREATED",
        "JoinedTimestamp": _JOINED,
    }


def _read_most(value: object) -> int:
    if value is None:
        return _MOST
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MOST:
        raise errors.invalid_input(f"MaxResults must be from 1 to {_MOST}, not {value!r}")
    return value


def _make_token(place: int) -> str:
    return base64.b64encode(f"accounts from {place}".encode()).decode()


def _read_token(token: object) -> int:
    if token is None:
        return 0
    try:
        text = base64.b64decode(str(token), validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        text = ""
    place = text.removeprefix("accounts from ")
    if place == text or not place.isdecimal():
        raise errors.invalid_input("NextToken is not valid")
    return int(place)
