"""The accounts that a run loads, and the role that reads each of them."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from cloudtrail_elasticsearch.core.errors import ConfigurationError, PlanError
from cloudtrail_elasticsearch.core.log_text import safe_text

ORGANIZATION: Final = "organization"
"""The name for all active accounts of the worker's organization."""

ACCOUNT_PATTERN: Final = f"^({ORGANIZATION}|-?[0-9]{{12}})$"
"""An account's id, a minus and the id of an account to leave out, or `ORGANIZATION`."""

# The characters that IAM allows in a role's path and name:
# https://docs.aws.amazon.com/IAM/latest/APIReference/API_CreateRole.html
_ROLE_NAME: Final = re.compile(r"/?([\x21-\x2e\x30-\x7e]+/)*[A-Za-z0-9_+=,.@-]{1,64}")
_ROLE_ARN: Final = re.compile(r"arn:[a-z-]+:iam::\{account\}:role/" + _ROLE_NAME.pattern.removeprefix("/?"))
_PLACE: Final = "{account}"


@dataclass(frozen=True, slots=True)
class Account:
    """An account of an organization."""

    id: str
    name: str


@dataclass(frozen=True, slots=True)
class RoleTemplate:
    """The role to assume in each account: its name, with its path if it has one, or an ARN with ``{account}``.

    :raises ConfigurationError: it is neither
    """

    text: str

    def __post_init__(self) -> None:
        form = _ROLE_ARN if self.text.startswith("arn:") else _ROLE_NAME
        if not form.fullmatch(self.text):
            raise ConfigurationError(
                f"The role {safe_text(self.text)!r} is neither a role's name nor an ARN with {_PLACE}: correct "
                f"the argument role or the Airflow variable cloudtrail_role; examples are audit and "
                f"arn:aws:iam::{_PLACE}:role/audit."
            )

    def make_arn(self, account: str, partition: str) -> str:
        """Return the role's ARN in an account.

        :param partition: the partition of AWS, such as ``aws`` or ``aws-cn``
        """
        if self.text.startswith("arn:"):
            return self.text.replace(_PLACE, account)
        return f"arn:{partition}:iam::{account}:role/{self.text.lstrip('/')}"


def choose_accounts(
    wanted: Sequence[str], own: str, list_organization: Callable[[], Iterable[Account]]
) -> list[str]:
    """Return the sorted ids of the accounts to load.

    :param wanted: account ids, `ORGANIZATION`, and ids to leave out with a minus before them. If all are left out,
        the organization without them is meant; empty: the worker's own account
    :param own: the worker's own account
    :param list_organization: returns the active accounts of the organization; it is called only if needed
    :raises PlanError: a name cannot be one, or no account is left
    """
    if wrong := [name for name in wanted if not re.fullmatch(ACCOUNT_PATTERN, name)]:
        raise PlanError(
            f"accounts has {safe_text(wrong[0])!r}: correct the run's param or the Airflow variable "
            f"cloudtrail_accounts; use ids of 12 digits, a minus before those to leave out, or {ORGANIZATION}."
        )
    if not wanted:
        return [own]
    left_out = {name.removeprefix("-") for name in wanted if name.startswith("-")}
    chosen = {name for name in wanted if name != ORGANIZATION and not name.startswith("-")}
    if ORGANIZATION in wanted or not chosen:
        chosen |= {account.id for account in list_organization()}
    if not chosen - left_out:
        raise PlanError(f"No account is left to load of {', '.join(wanted)}: each one is left out.")
    return sorted(chosen - left_out)


def choose_account_regions(
    wanted: Iterable[str], enabled: Mapping[str, Sequence[str]]
) -> dict[str, tuple[str, ...]]:
    """Return the regions to load of each account: those of the wanted ones that it has, or if none is wanted, all.

    An account without any of the wanted regions is omitted.

    :param enabled: the enabled regions by account
    :raises PlanError: no account has one of the wanted regions, or there are no regions at all
    """
    chosen = sorted(set(wanted))
    available = {region for regions in enabled.values() for region in regions}
    if enabled and not available:
        raise PlanError("There are no regions to load: no account has an enabled region.")
    unknown = [region for region in chosen if region not in available]
    if unknown:
        which = "this account" if len(enabled) == 1 else f"any of the {len(enabled)} accounts"
        raise PlanError(
            f"Not an enabled region of {which}: {', '.join(unknown)}. Enabled are: {', '.join(sorted(available))}."
        )
    found = {
        account: tuple(region for region in (chosen or sorted(regions)) if region in set(regions))
        for account, regions in enabled.items()
    }
    return {account: regions for account, regions in found.items() if regions}


def find_common_regions(enabled: Mapping[str, Sequence[str]]) -> list[str]:
    """Return the sorted regions that all of these accounts have enabled; others probably have them, too."""
    return sorted(set.intersection(*map(set, enabled.values()))) if enabled else []
