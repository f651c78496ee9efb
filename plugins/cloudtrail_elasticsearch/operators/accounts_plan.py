"""The base of the plan tasks that look events up: the accounts of a run, their roles and their regions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

from cloudtrail_elasticsearch.core.coverage.accounts import (
    Account,
    RoleTemplate,
    choose_account_regions,
    choose_accounts,
    find_common_regions,
)
from cloudtrail_elasticsearch.core.coverage.lookup_batches import AccountPlan
from cloudtrail_elasticsearch.core.coverage.source import CATEGORIES, Source
from cloudtrail_elasticsearch.core.errors import AccessDeniedError, ConfigurationError, PlanError
from cloudtrail_elasticsearch.core.log_text import safe_text
from cloudtrail_elasticsearch.core.side_by_side import run_side_by_side
from cloudtrail_elasticsearch.operators.base import read_setting
from cloudtrail_elasticsearch.operators.days import PlanOperator, read_names, split_names
from cloudtrail_elasticsearch.params import DEFAULT_CATEGORIES, DEFAULT_REGIONS, TASKS

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.hooks.cloudtrail import CloudTrailHook

_ACCOUNTS_AT_ONCE: Final = 16


class AccountsPlanOperator(PlanOperator):
    """Plans work on each enabled region of each account of a run. `PlanOperator` has the other arguments.

    :param accounts: the ids of the accounts to load; ``organization`` for all active ones of the organization; a
        minus before an id leaves it out; empty: the Airflow variable ``cloudtrail_accounts``, or the account that
        the AWS connection belongs to
    :param role: the role to assume in each account but the connection's own: its name, with its path if it has
        one, or an ARN with ``{account}``; None: the Airflow variable ``cloudtrail_role``
    :param external_id: the external id that the role's trust policy requires; None: the Airflow variable
        ``cloudtrail_external_id``
    :param organization_conn_id: the AWS connection that lists the organization's accounts; None: `aws_conn_id`
    :param categories: the categories of events to look up: ``management``, ``insight``, or both; empty: management
    :param regions: the regions to load; empty: all enabled regions
    :param tasks: the most batches of a day and category
    """

    template_fields: Sequence[str] = (
        *PlanOperator.template_fields,
        "accounts",
        "role",
        "external_id",
        "categories",
        "regions",
        "tasks",
    )

    def __init__(
        self,
        *,
        accounts: Sequence[str] | str = (),
        role: str | None = None,
        external_id: str | None = None,
        organization_conn_id: str | None = None,
        categories: Sequence[str] | str = (),
        regions: Sequence[str] | str = (),
        tasks: str | int = TASKS,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.accounts = accounts
        self.role = role
        self.external_id = external_id
        self.organization_conn_id = organization_conn_id
        self.categories = categories
        self.regions = regions
        self.tasks = tasks

    def choose_accounts(self, hook: CloudTrailHook) -> tuple[list[str], list[Account]]:
        """Return the ids of the accounts to load, and the accounts of the organization if they were listed.

        :raises PlanError: an account is not one of the organization's
        """
        wanted = read_names(self.accounts, "cloudtrail_accounts")
        organization: list[Account] = []

        def list_organization() -> list[Account]:
            organization.extend(self.list_organization())
            return organization

        return choose_accounts(wanted, hook.account, list_organization), organization

    def list_organization(self) -> list[Account]:
        """Return the active accounts of the organization.

        :raises AccessDeniedError: they may not be listed
        """
        from cloudtrail_elasticsearch.hooks.cloudtrail import CloudTrailHook

        return CloudTrailHook(aws_conn_id=self.organization_conn_id or self.aws_conn_id).list_accounts()

    def plan_accounts(self, hook: CloudTrailHook, accounts: Sequence[str]) -> list[AccountPlan]:
        """Return the regions and the role of each account.

        :raises ConfigurationError: an account needs a role, and none is configured
        :raises PlanError: a region is not enabled in any account
        """
        roles = self._find_roles(hook, accounts)
        external_id = read_setting(self.external_id, "cloudtrail_external_id") if any(roles.values()) else ""
        enabled: dict[str, list[str]] = {}
        refused: dict[str, AccessDeniedError] = {}

        def list_regions(account: str) -> tuple[str, list[str] | AccessDeniedError]:
            try:
                return account, hook.open_account(roles[account], external_id).enabled_regions()
            except AccessDeniedError as error:
                if not roles[account]:
                    raise
                return account, error

        for account, found in run_side_by_side(list_regions, accounts, _ACCOUNTS_AT_ONCE):
            if isinstance(found, AccessDeniedError):
                refused[account] = found
                self.log.error("Account %s cannot be read: %s", account, found)
            else:
                enabled[account] = found
        regions = split_names(self.regions)
        chosen = choose_account_regions(regions, enabled) if enabled else {}
        probable = regions or find_common_regions(enabled) or list(DEFAULT_REGIONS)
        plans = [
            AccountPlan(account, names, roles[account], tuple(enabled[account]) if regions else ())
            for account, names in chosen.items()
        ]
        plans += [
            AccountPlan(account, tuple(sorted(probable)), roles[account], is_refused=True) for account in refused
        ]
        return sorted(plans, key=lambda plan: plan.account)

    def _find_roles(self, hook: CloudTrailHook, accounts: Sequence[str]) -> dict[str, str]:
        """Return the ARN of the role of each account; empty for the worker's own account."""
        others = [account for account in accounts if account != hook.account]
        if not others:
            return dict.fromkeys(accounts, "")
        text = read_setting(self.role, "cloudtrail_role")
        if not text:
            raise ConfigurationError(
                f"No role is configured for account {others[0]}: give the source's argument role, or set the "
                f"Airflow variable cloudtrail_role to the name of the role to assume in each account."
            )
        role = RoleTemplate(text)
        return {
            account: "" if account == hook.account else role.make_arn(account, hook.partition)
            for account in accounts
        }

    def choose_sources(self) -> list[Source]:
        """Return the sources of the wanted categories of events.

        :raises PlanError: a category is unknown
        """
        wanted = split_names(self.categories) or DEFAULT_CATEGORIES
        if wrong := [name for name in wanted if name not in CATEGORIES]:
            raise PlanError(f"categories has {safe_text(wrong[0])!r}: choose from {', '.join(CATEGORIES)}.")
        return [source for name, source in CATEGORIES.items() if name in wanted]
