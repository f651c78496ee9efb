"""The batches of LookupEvents windows: each window in one batch, quiet ones together, refused accounts apart."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core.coverage.lookup_batches import (
    AccountPlan,
    LookupBatch,
    LookupWindow,
    plan_lookup_batches,
)
from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.coverage.windows import Window
from devstack.simulator import REGIONS

DAY = date(2026, 11, 20)
DAYS = [DAY, DAY + timedelta(days=1)]

accounts = st.lists(
    st.builds(
        AccountPlan,
        st.integers(0, 10**12 - 1).map(lambda number: f"{number:012}"),
        st.sets(st.sampled_from(REGIONS), min_size=1).map(lambda names: tuple(sorted(names))),
        st.sampled_from(["", "arn:aws:iam::1:role/audit"]),
        st.sampled_from([(), REGIONS]),
        st.booleans(),
    ),
    max_size=8,
    unique_by=lambda plan: plan.account,
)
usual = st.dictionaries(st.tuples(st.integers(0, 7), st.sampled_from(REGIONS)), st.floats(0, 1e6), max_size=60)


def plan(
    planned: list[AccountPlan], events: dict[tuple[int, str], float], tasks: int = 16, days: list[date] = DAYS
) -> list[LookupBatch]:
    named = {
        (planned[number].account, region): mean
        for (number, region), mean in events.items()
        if number < len(planned)
    }
    return list(plan_lookup_batches(days, planned, named, tasks))


@pytest.mark.promise("nothing-lost")
@given(accounts, usual, st.integers(1, 20))
def test_every_second_of_each_region_is_in_exactly_one_batch(
    planned: list[AccountPlan], events: dict[tuple[int, str], float], tasks: int
) -> None:
    """And each window has the role of its account."""
    batches = plan(planned, events, tasks)
    windows = [each for batch in batches for each in batch.windows]
    for account in planned:
        for region in account.regions:
            own = sorted(
                each.window
                for each in windows
                if each.window.region == region and each.window.account == account.account
            )
            assert own[0].start == datetime(2026, 11, 20, tzinfo=UTC)
            assert own[-1].end == datetime(2026, 11, 22, tzinfo=UTC)
            assert all(before.end == after.start for before, after in pairwise(own))
    roles = {account.account: account.role for account in planned}
    assert all(each.role == roles[each.window.account] for each in windows)
    assert len(windows) == len(DAYS) * sum(len(account.regions) for account in planned)


@given(accounts, usual, st.integers(1, 20))
def test_batches_survive_an_xcom_and_have_names_and_identities_of_their_own(
    planned: list[AccountPlan], events: dict[tuple[int, str], float], tasks: int
) -> None:
    """Two batches of a run never share a name or an identity."""
    batches = plan(planned, events, tasks)
    assert [LookupBatch.from_dict(json.loads(json.dumps(batch.to_dict()))) for batch in batches] == batches
    for values in ([batch.name for batch in batches], [batch.identity["batch"] for batch in batches]):
        assert len(set(values)) == len(values)


@pytest.mark.promise("bounded")
@given(accounts, usual, st.integers(1, 20))
def test_a_day_has_a_bounded_number_of_batches(
    planned: list[AccountPlan], events: dict[tuple[int, str], float], tasks: int
) -> None:
    """Beside those of refused accounts, which are in batches of their own."""
    refused = {account.account for account in planned if account.is_refused}
    for day in DAYS:
        names = [{each.window.account for each in batch.windows} for batch in plan(planned, events, tasks, [day])]
        apart = [accounts for accounts in names if accounts & refused]
        assert sorted(apart, key=min) == [{account} for account in sorted(refused)]
        assert len(names) - len(apart) <= tasks


def test_quiet_windows_of_many_accounts_share_few_tasks() -> None:
    """100 accounts with 17 regions: nine of ten regions are quiet, and the ledger knows it."""
    planned = [AccountPlan(f"{number:012}", REGIONS) for number in range(100)]
    events = {
        (account.account, region): 2_000.0 if region == "us-east-1" else 3.0
        for account in planned
        for region in REGIONS
    }
    batches = list(plan_lookup_batches([DAY], planned, events, 1_000))
    assert 15 <= len(batches) <= 25
    # The quiet regions of an account are together, so that its role is assumed at most twice.
    homes = [{each.window.account for each in batch.windows} for batch in batches]
    assert sum(map(len, homes)) <= 200
    assert sum(len(json.dumps(batch.to_dict())) for batch in batches) < 50_000


def test_regions_that_the_ledger_does_not_know_are_spread_over_tasks() -> None:
    """They may be busy."""
    batches = list(plan_lookup_batches([DAY], [AccountPlan("1" * 12, REGIONS)], {}, 16))
    assert len(batches) == 16
    assert batches[0].windows[0].window.region == "us-east-1"


def test_unknown_regions_of_many_accounts_stay_with_their_account() -> None:
    """If there are enough accounts for all tasks: each task assumes the role of an account once."""
    planned = [AccountPlan(f"{number:012}", REGIONS) for number in range(30)]
    batches = list(plan_lookup_batches([DAY], planned, {}, 16))
    assert len(batches) == 16
    homes = [account for batch in batches for account in {each.window.account for each in batch.windows}]
    assert len(homes) == len(set(homes)) == 30


def test_a_busy_region_has_a_task_of_its_own() -> None:
    """Named by the region."""
    events = {("1" * 12, region): 100_000.0 if region == "eu-west-1" else 500.0 for region in REGIONS}
    batches = list(plan_lookup_batches([DAY], [AccountPlan("1" * 12, REGIONS)], events, 16))
    assert batches[0].name == f"{'1' * 12} eu-west-1 2026-11-20"
    assert all(len(batch.windows) > 1 for batch in batches[1:])


def test_a_single_window_is_a_batch() -> None:
    """For DAGs of one's own that plan windows in another way."""
    window = Window(
        "1" * 12, "eu-west-1", datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 20, 6, tzinfo=UTC)
    )
    assert LookupBatch.from_dict(window.to_dict()) == LookupBatch(window.name, (LookupWindow(window),), {})
    batch = LookupBatch("x", (LookupWindow(window),), {})
    assert LookupBatch.from_dict(batch.to_dict()) == batch
    assert batch.to_dict()["source"] == Source.LOOKUP_EVENTS
