"""The operators on an organization: roles, refusals, batches, names and Insights events."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, Final

import pytest

from cloudtrail_elasticsearch.core.coverage.batch_cells import unpack_cells
from cloudtrail_elasticsearch.core.coverage.ledger import Ledger
from cloudtrail_elasticsearch.core.coverage.lookup_batches import LookupBatch, LookupWindow
from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.coverage.windows import Window, midnight
from cloudtrail_elasticsearch.core.errors import ConfigurationError, CoverageError, PlanError, StagingError
from cloudtrail_elasticsearch.core.progress import Checkpoint, InMemoryStore
from cloudtrail_elasticsearch.operators.cloudtrail_to_s3 import CloudTrailToS3Operator
from cloudtrail_elasticsearch.operators.coverage import CloudTrailCoverageOperator
from cloudtrail_elasticsearch.operators.plan import CloudTrailPlanOperator
from cloudtrail_elasticsearch.operators.s3_to_elasticsearch import S3ToElasticsearchOperator
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from cloudtrail_elasticsearch.sources.lookup_events.client import LookupEvents
from cloudtrail_elasticsearch.sources.lookup_events.rate_limiter import RateLimiter
from devstack.days import last_settled_day
from devstack.simulator import (
    DEFAULT_ACCOUNT,
    REGIONS,
    Fault,
    FaultKind,
    Member,
    Role,
    Simulator,
    SimulatorSettings,
)
from tests.airflow.conftest import Services
from tests.core.unruly import Happened, Manners, UnrulyLookup, at, event_id
from tests.memory_s3 import MemoryS3

DAY: Final = last_settled_day()
NEXT: Final = DAY + timedelta(days=1)
ROLE: Final = Role("security/audit", external_id="id-1")
ONE, TWO, REFUSED, CLOSED = (f"{number}" * 12 for number in (1, 2, 3, 4))
MEMBERS: Final = (
    Member(ONE, "Orders", roles=(ROLE,), regions=("us-east-1", "eu-west-1", "ap-east-1"), activity=0.2),
    Member(TWO, "<b>Archive</b>", roles=(ROLE,), regions=("us-east-1", "eu-west-1"), activity=0.1),
    Member(REFUSED, "New", regions=("us-east-1", "eu-west-1"), activity=0.1),
    Member(CLOSED, "Closed", state="SUSPENDED", roles=(ROLE,)),
)
CONTEXT: Any = {}
ACCOUNTS: Final = ["organization", f"-{DEFAULT_ACCOUNT}"]


@pytest.fixture(scope="module")
def simulator() -> Iterator[Simulator]:
    """An organization whose accounts trust the worker; one of them has no role."""
    settings = SimulatorSettings(quota=1e6, burst=1_000_000, latency=0, volume=200, members=MEMBERS, insights=40.0)
    with Simulator(settings) as running:
        yield running


@pytest.fixture(autouse=True)
def _settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_VAR_CLOUDTRAIL_ROLE", "security/audit")
    monkeypatch.setenv("AIRFLOW_VAR_CLOUDTRAIL_EXTERNAL_ID", "id-1")


def plan(services: Services, **arguments: Any) -> list[dict[str, Any]]:
    days = {"start": str(DAY), "end": str(NEXT), "index": services.index, "accounts": ACCOUNTS}
    found = CloudTrailPlanOperator(task_id="plan", **days | arguments).execute(CONTEXT)
    return list(json.loads(json.dumps(found)))


class Instance:
    """A task instance that keeps the pushed values."""

    dag_id, task_id, try_number = "dag", "task", 1

    def __init__(self, map_index: int = 0, run_id: str = "run") -> None:
        self.map_index = map_index
        self.run_id = run_id
        self.pushed: Any = None

    def xcom_push(self, key: str, value: Any) -> None:
        assert key == "return_value"
        self.pushed = json.loads(json.dumps(value))


def work(services: Services, batches: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[str]]:
    """Fetch and load each batch; return the results of the load tasks, and the errors."""
    errors: list[str] = []

    def execute(operator: Any, map_index: int) -> Any:
        instance = Instance(map_index)
        context: Any = {"ti": instance}
        try:
            instance.xcom_push("return_value", operator.execute(context))
        except (CoverageError, ConfigurationError, StagingError) as error:
            errors.append(str(error))
        return instance.pushed

    staged = {"bucket": services.bucket}
    fetches = [CloudTrailToS3Operator(task_id="fetch", batch=batch, **staged) for batch in batches]
    fetched = [execute(fetch, number) for number, fetch in enumerate(fetches)]
    loads = [
        S3ToElasticsearchOperator(task_id="load", batch=batch, fetched=result, index=services.index, **staged)
        for batch, result in zip(batches, fetched, strict=True)
    ]
    return [execute(load, number) for number, load in enumerate(loads)], errors


def documents(services: Services) -> set[str]:
    server = connect(SearchSettings.from_url(services.search_url))
    body = json.dumps({"size": 10_000, "_source": False, "query": {"match_all": {}}}).encode()
    hits = server.request("POST", f"/{services.index}/_search", body)["hits"]["hits"]
    return {hit["_id"] for hit in hits}


def truth(simulator: Simulator, accounts: list[str]) -> set[str]:
    end = midnight(NEXT) - timedelta(seconds=1)
    return {
        event
        for account in accounts
        for region in ("us-east-1", "eu-west-1", "ap-east-1")
        for event in simulator.truth(region, midnight(DAY), end, account)
    }


def test_an_organization_is_planned_with_the_regions_of_each_account(services: Services) -> None:
    """Without closed accounts. One that refuses has a batch of its own, with the regions of all others."""
    batches = [LookupBatch.from_dict(batch) for batch in plan(services)]
    regions: dict[str, set[str]] = {}
    for batch in batches:
        for each in batch.windows:
            regions.setdefault(each.window.account, set()).add(each.window.region)
            assert each.role == f"arn:aws:iam::{each.window.account}:role/security/audit"
    assert regions == {
        ONE: {"us-east-1", "eu-west-1", "ap-east-1"},
        TWO: {"us-east-1", "eu-west-1"},
        REFUSED: {"us-east-1", "eu-west-1"},
    }
    apart = [batch for batch in batches if any(each.window.account == REFUSED for each in batch.windows)]
    assert [len(batch.windows) for batch in apart] == [2]
    narrowed = [
        LookupBatch.from_dict(batch) for batch in plan(services, regions=["ap-east-1"], accounts=[ONE, TWO])
    ]
    assert [[each.window.account for each in batch.windows] for batch in narrowed] == [[ONE]]
    assert narrowed[0].enabled == {ONE: ("ap-east-1", "eu-west-1", "us-east-1")}


def test_the_workers_own_account_needs_no_role(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """Alone, or beside others."""
    monkeypatch.delenv("AIRFLOW_VAR_CLOUDTRAIL_ROLE")
    (own, *_) = plan(services, accounts=[])
    assert set(own["accounts"]) == {DEFAULT_ACCOUNT}
    assert "role" not in own["accounts"][DEFAULT_ACCOUNT]
    with pytest.raises(ConfigurationError, match=f"No role is configured for account {ONE}.*cloudtrail_role"):
        plan(services, accounts=[ONE])
    batches = plan(services, accounts=[ONE, DEFAULT_ACCOUNT], role="arn:aws:iam::{account}:role/security/audit")
    roles = {account: of.get("role") for batch in batches for account, of in batch["accounts"].items()}
    assert roles == {ONE: f"arn:aws:iam::{ONE}:role/security/audit", DEFAULT_ACCOUNT: None}


@pytest.mark.promise("nothing-lost", "no-duplicates")
def test_all_accounts_are_loaded_but_the_one_that_refuses(services: Services, simulator: Simulator) -> None:
    """Its cells have the reason, the role and the statement to add. When the role exists, only they are loaded."""
    batches = plan(services)
    results, errors = work(services, batches)
    assert documents(services) == truth(simulator, [ONE, TWO])
    assert len(errors) == 2
    words = [f"arn:aws:iam::{REFUSED}:role/security/audit", '"Action": "sts:AssumeRole"', "loader assume the role"]
    assert all(word in error for error in errors for word in words)
    coverage = CloudTrailCoverageOperator(task_id="coverage", planned=batches, cells=results, index=services.index)
    with pytest.raises(CoverageError, match="2 of 7 cells are not covered"):
        coverage.execute(CONTEXT)
    cells = list(Ledger(connect(SearchSettings.from_url(services.search_url)), services.index).read_cells())
    missing = [cell for cell in cells if cell["state"] == "missing"]
    assert {(cell["account"], cell["region"]) for cell in missing} == {
        (REFUSED, "us-east-1"),
        (REFUSED, "eu-west-1"),
    }
    assert all(word in cell["problem"] for cell in missing for word in words)

    organization = simulator.service.organization
    before = {name: figures.calls for name, figures in simulator.service.statistics.accounts.items()}
    organization.put_role(REFUSED, ROLE)
    try:
        results, errors = work(services, again := plan(services))
    finally:
        organization.remove_role(REFUSED, ROLE.name)
    after = {name: figures.calls for name, figures in simulator.service.statistics.accounts.items()}
    assert errors == []
    assert {name for name in after if after[name] != before.get(name, 0)} == {REFUSED}
    assert documents(services) == truth(simulator, [ONE, TWO, REFUSED])
    totals = CloudTrailCoverageOperator(
        task_id="coverage", planned=again, cells=results, index=services.index
    ).execute(CONTEXT)
    assert (totals["cells"], totals["missing"]) == (7, 0)
    assert totals["staged"] == totals["indexed"] == len(documents(services))
    # The ledger knows now which regions are quiet: they share a task.
    assert len(plan(services, accounts=[ONE, TWO])) == 1


@pytest.mark.promise("closed")
def test_a_wrong_external_id_is_a_refusal(
    services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The external id is in no message."""
    batches = plan(services, accounts=[ONE])
    caplog.set_level("DEBUG", "cloudtrail_elasticsearch")
    monkeypatch.setenv("AIRFLOW_VAR_CLOUDTRAIL_EXTERNAL_ID", "another-id")
    _, errors = work(services, batches)
    assert errors
    assert all("does not let" in error for error in errors)
    assert "another-id" not in f"{errors} {caplog.text}"


def test_accounts_of_a_worker_that_may_not_list_the_organization(
    services: Services, simulator: Simulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Named accounts are planned without their names, and `organization` names the missing permission."""
    organization = simulator.service.organization
    monkeypatch.setattr(organization, "may_list", lambda _: False)
    assert {account for batch in plan(services, accounts=[ONE, TWO]) for account in batch["accounts"]} == {
        ONE,
        TWO,
    }
    with pytest.raises(ConfigurationError, match="organizations:ListAccounts"):
        plan(services)


@pytest.mark.promise("restartable")
@pytest.mark.parametrize("work", [{"force": True}, {"late": True}])
def test_a_retry_repeats_only_the_windows_that_failed(
    services: Services, simulator: Simulator, work: dict[str, bool]
) -> None:
    """Also if the finished ones had to be looked up again; a cleared task looks all of them up."""
    plan(services, accounts=[ONE])
    windows = [Window(ONE, region, midnight(DAY), midnight(NEXT)) for region in ("eu-west-1", "us-east-1")]
    arn = f"arn:aws:iam::{ONE}:role/security/audit"
    batch = LookupBatch("both", tuple(LookupWindow(window, arn) for window in windows), {}).to_dict()
    context: Any = {"ti": Instance(), "task_state_store": InMemoryStore()}

    def fetch(**arguments: Any) -> dict[str, int]:
        before = dict.fromkeys(REGIONS, 0) | {name: each.calls for name, each in regions.items()}
        operator = CloudTrailToS3Operator(task_id="fetch", batch=batch, bucket=services.bucket, **arguments)
        try:
            operator.execute(context)
        finally:
            calls.update({name: each.calls - before[name] for name, each in regions.items()})
        return calls

    calls: dict[str, int] = {}
    regions = simulator.service.statistics.regions
    fetch()
    simulator.service.faults.add(Fault(FaultKind.ACCESS_DENIED, region="eu-west-1"))
    with pytest.raises(CoverageError, match="1 of 2 windows were not fetched"):
        fetch(**work)
    assert calls["us-east-1"] > 0
    simulator.service.faults.clear()
    assert fetch(**work)["us-east-1"] == 0
    assert calls["eu-west-1"] > 0
    assert fetch(**work)["us-east-1"] > 0


@pytest.mark.promise("nothing-lost")
@pytest.mark.parametrize("work", [{"force": True}, {"late": True}])
def test_a_run_does_not_continue_the_abandoned_fetch_of_another_run(
    monkeypatch: pytest.MonkeyPatch, work: dict[str, bool]
) -> None:
    """Before Airflow 3.3, progress is in the bucket. The other run was killed before it removed its progress."""
    client = UnrulyLookup([Happened(event_id(number), at(number)) for number in range(60)], [], Manners(), 1)
    account = SimpleNamespace(open_lookup=lambda _: LookupEvents(client, RateLimiter(1e9)))
    s3 = MemoryS3()
    hook = SimpleNamespace(s3=lambda: s3, open_account=lambda *_: account)
    monkeypatch.setattr(CloudTrailToS3Operator, "aws", lambda _: hook)
    batch = LookupBatch("one", (LookupWindow(Window(ONE, "us-east-1", at(0), at(3_600)), ""),), {}).to_dict()

    def count_calls(run: str, **work: bool) -> int:
        before = client.calls
        arguments: dict[str, Any] = {"bucket": "bucket", "encryption": "", "kms_key": "", **work}
        context: Any = {"ti": Instance(run_id=run)}
        CloudTrailToS3Operator(task_id="fetch", batch=batch, **arguments).execute(context)
        return client.calls - before

    assert count_calls("first") > 1
    with monkeypatch.context() as patched:
        patched.setattr(Checkpoint, "clear", lambda _: None)
        assert count_calls("second", **work) > 1
    assert count_calls("third", **work) > 1


def test_insights_events_are_cells_of_their_own(services: Services, simulator: Simulator) -> None:
    """Beside the management events of the same region and day, with the same index."""
    batches = plan(services, accounts=[ONE], categories=["insight", "management"], regions=["us-east-1"])
    assert [batch["source"] for batch in batches] == ["lookup_events", "lookup_insights"]
    results, errors = work(services, batches)
    assert errors == []
    end = midnight(NEXT) - timedelta(seconds=1)
    insights = set(simulator.insights("us-east-1", midnight(DAY), end, ONE))
    management = set(simulator.truth("us-east-1", midnight(DAY), end, ONE))
    assert insights
    assert not insights & management
    assert documents(services) == insights | management
    windows = [[each.window for each in LookupBatch.from_dict(batch).windows] for batch in batches]
    cells = [unpack_cells(row, some)[0].cell for row, some in zip(results, windows, strict=True)]
    assert [cell.window.source for cell in cells] == [Source.LOOKUP_EVENTS, Source.LOOKUP_INSIGHTS]
    assert [cell.indexed for cell in cells] == [len(management), len(insights)]
    assert cells[0].window == replace(cells[1].window, source=Source.LOOKUP_EVENTS)
    with pytest.raises(PlanError, match="categories has 'data': choose from management, insight"):
        plan(services, categories=["data"])
