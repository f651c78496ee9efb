"""The choice of accounts and regions, and the role of each account."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from cloudtrail_elasticsearch.core.coverage.accounts import (
    Account,
    RoleTemplate,
    choose_account_regions,
    choose_accounts,
    find_common_regions,
)
from cloudtrail_elasticsearch.core.errors import ConfigurationError, PlanError

OWN, ONE, TWO, THREE = (f"{number:012}" for number in range(4))
MEMBERS = [Account(ONE, "one"), Account(OWN, "management"), Account(TWO, "two")]


def never() -> list[Account]:
    raise AssertionError("the organization was listed")


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        (["organization"], [OWN, ONE, TWO]),
        (["organization", f"-{OWN}"], [ONE, TWO]),
        ([f"-{ONE}"], [OWN, TWO]),
        (["organization", THREE], [OWN, ONE, TWO, THREE]),
    ],
)
def test_an_organization_is_all_of_its_accounts_but_those_left_out(wanted: list[str], chosen: list[str]) -> None:
    """Only accounts to leave out mean the organization without them."""
    assert choose_accounts(wanted, OWN, lambda: MEMBERS) == chosen


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [([], [OWN]), ([TWO, ONE, TWO], [ONE, TWO]), ([ONE, TWO, f"-{TWO}"], [ONE])],
)
def test_named_accounts_need_no_organization(wanted: list[str], chosen: list[str]) -> None:
    """Without a name, the worker's own account is loaded."""
    assert choose_accounts(wanted, OWN, never) == chosen


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        (["12345678901"], "accounts has '12345678901'"),
        (["organisation"], "accounts has 'organisation'.*use ids of 12 digits"),
        ([ONE, f"-{ONE}"], "No account is left"),
    ],
)
def test_an_impossible_choice_is_rejected(wanted: list[str], words: str) -> None:
    """A misspelt account would otherwise be left out without a word."""
    with pytest.raises(PlanError, match=words):
        choose_accounts(wanted, OWN, lambda: MEMBERS)


@pytest.mark.parametrize(
    ("text", "arn"),
    [
        ("audit", f"arn:aws-cn:iam::{ONE}:role/audit"),
        ("/security/audit", f"arn:aws-cn:iam::{ONE}:role/security/audit"),
        ("security/tools/audit.read@x", f"arn:aws-cn:iam::{ONE}:role/security/tools/audit.read@x"),
        ("arn:aws:iam::{account}:role/security/audit", f"arn:aws:iam::{ONE}:role/security/audit"),
    ],
)
def test_a_role_is_a_name_or_a_template(text: str, arn: str) -> None:
    """With its path, if it has one."""
    assert RoleTemplate(text).make_arn(ONE, "aws-cn") == arn


@pytest.mark.parametrize(
    "text",
    ["", "a b", "arn:aws:iam::123456789012:role/audit", "arn:aws:iam::{account}:user/audit", "x" * 65, "a/"],
)
def test_a_role_that_cannot_be_one_is_rejected(text: str) -> None:
    """An ARN of a single account would read the same account for every account."""
    with pytest.raises(ConfigurationError, match=r"neither a role's name nor an ARN with \{account\}"):
        RoleTemplate(text)


@pytest.mark.parametrize(
    ("wanted", "chosen"),
    [
        ([], {ONE: ("eu-west-1", "us-east-1"), TWO: ("us-east-1",)}),
        (["us-east-1"], {ONE: ("us-east-1",), TWO: ("us-east-1",)}),
        (["eu-west-1"], {ONE: ("eu-west-1",)}),
    ],
)
def test_each_account_has_its_own_regions(wanted: Sequence[str], chosen: dict[str, tuple[str, ...]]) -> None:
    """A wanted region that an account has not enabled is left out of that account only."""
    enabled = {ONE: ["us-east-1", "eu-west-1"], TWO: ["us-east-1"]}
    assert choose_account_regions(wanted, enabled) == chosen


def test_unknown_regions_are_rejected() -> None:
    """The error names those that there are."""
    with pytest.raises(PlanError, match=r"of this account: mars-north-1\. Enabled are: eu-west-1, us-east-1"):
        choose_account_regions(["mars-north-1", "us-east-1"], {ONE: ["us-east-1", "eu-west-1"]})
    with pytest.raises(PlanError, match=r"of any of the 2 accounts: mars-north-1"):
        choose_account_regions(["mars-north-1"], {ONE: ["us-east-1"], TWO: ["eu-west-1"]})
    with pytest.raises(PlanError, match="no account has an enabled region"):
        choose_account_regions([], {ONE: []})


def test_common_regions_are_those_of_all() -> None:
    """An account that cannot be read probably has them, too."""
    assert find_common_regions({ONE: ["b", "a", "c"], TWO: ["c", "b"]}) == ["b", "c"]
    assert find_common_regions({}) == []
