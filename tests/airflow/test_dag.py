"""The whole DAG with dag.test(): OpenSearch is real, CloudTrail is the simulator and S3 is moto."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.coverage.ledger import Ledger
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.index.index_pattern import QUARANTINE_INDEX
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.faults.proof import list_truth, read_event_ids
from devstack.simulator import DEFAULT_ACCOUNT, Fault, FaultKind
from tests.airflow.conftest import Services
from tests.clock import today

DAY = today() - timedelta(days=3)
REGIONS = ["ap-northeast-3", "eu-west-1"]


def conf(services: Services, **others: Any) -> dict[str, Any]:
    index = f"{services.index}-%Y.%m"
    return {"start": str(DAY), "end": str(DAY + timedelta(days=2)), "regions": REGIONS, "index": index} | others


def run(dag: Any, **params: Any) -> Any:
    return dag.test(run_conf=params)


def states(dag_run: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for task in dag_run.get_task_instances():
        found.setdefault(task.task_id, []).append(str(task.state))
    return {name: sorted(values) for name, values in found.items()}


def wanted(services: Services) -> set[str]:
    """Return the eventIDs of the two days in the simulator."""
    return set(list_truth(services.simulator, REGIONS, DAY, 2))


def stored(services: Services) -> set[str]:
    """Return the eventIDs of all documents."""
    return set(read_event_ids(connect(SearchSettings.from_url(services.search_url)), f"{services.index}-*"))


def calls(services: Services) -> int:
    return sum(region.calls for region in services.simulator.service.statistics.regions.values())


def test_the_dag_has_one_day_intervals(dag: Any) -> None:
    """A data interval of one day in UTC, without catch-up."""
    from airflow.timetables.interval import CronDataIntervalTimetable

    assert isinstance(dag.timetable, CronDataIntervalTimetable)
    assert dag.catchup is False
    assert sorted(dag.task_ids) == ["cell.fetch", "cell.load", "coverage", "plan"]


def test_params_have_a_schema(dag: Any) -> None:
    """The form has date pickers and a multi-select, and rejects invalid values."""
    schemas = {name: dag.params.get_param(name).schema for name in dag.params}
    assert sorted(schemas) == [
        "accounts",
        "categories",
        "ecs",
        "end",
        "force",
        "index",
        "lifecycle",
        "mapping",
        "own_events",
        "pipeline",
        "prefix",
        "regions",
        "replay",
        "replicas",
        "settle_minutes",
        "shards",
        "start",
        "tasks",
        "texts",
        "verify",
    ]
    assert schemas["start"]["format"] == schemas["end"]["format"] == "date"
    assert "us-east-1" in schemas["regions"]["examples"]
    assert schemas["mapping"]["enum"] == ["typed", "flattened"]
    assert schemas["force"]["type"] == schemas["replay"]["type"] == "boolean"
    from airflow.sdk.exceptions import ParamValidationError

    for name, value in {
        "mapping": "other",
        "start": "soon",
        "regions": ["mars"],
        "force": "maybe",
        "replay": 1,
        "own_events": "hide",
        "settle_minutes": -1,
        "shards": 0,
        "replicas": "one",
        "lifecycle": "a b",
        "pipeline": "a,b",
    }.items():
        with pytest.raises(ParamValidationError):
            dag.params.get_param(name).resolve(value)


@pytest.mark.promise("no-duplicates")
@pytest.mark.parametrize("mapping", ["typed", "flattened"])
def test_every_event_of_the_planned_cells_is_indexed_once(dag: Any, services: Services, mapping: str) -> None:
    """By eventID, over several regions and days. A second run calls CloudTrail never and sends nothing."""
    first = run(dag, **conf(services, mapping=mapping))
    assert states(first) == {
        "plan": ["success"],
        "cell.fetch": ["success"] * 4,
        "cell.load": ["success"] * 4,
        "coverage": ["success"],
    }
    names = {task.rendered_map_index for task in first.get_task_instances() if task.task_id == "cell.load"}
    assert names == {
        f"{DEFAULT_ACCOUNT} {region} {DAY + timedelta(days=day)}" for region in REGIONS for day in (0, 1)
    }
    expected = wanted(services)
    assert len(expected) > 50
    assert stored(services) == expected

    before = calls(services), versions(services)
    assert str(run(dag, **conf(services, mapping=mapping)).state) == "success"
    assert (calls(services), versions(services)) == before


def versions(services: Services) -> int:
    """Return how often documents were written, by the server's count."""
    server = connect(SearchSettings.from_url(services.search_url))
    total: int = server.request("GET", f"/{services.index}-*/_stats/indexing")["_all"]["primaries"]["indexing"][
        "index_total"
    ]
    return total


@pytest.mark.promise("nothing-lost")
def test_a_failed_cell_fails_the_run_by_name_and_affects_no_other(dag: Any, services: Services) -> None:
    """Coverage names the cell. The others are loaded, and the next run loads the failed one only."""
    services.simulator.service.faults.add(Fault(FaultKind.ACCESS_DENIED, region="eu-west-1"))
    failed = run(dag, **conf(services))
    assert str(failed.state) == "failed"
    assert states(failed)["cell.fetch"] == ["failed"] * 2 + ["success"] * 2
    assert states(failed)["cell.load"] == ["failed"] * 2 + ["success"] * 2
    assert states(failed)["coverage"] == ["failed"]
    assert stored(services) < wanted(services)

    services.simulator.service.faults.clear()
    before = {name: region.calls for name, region in services.simulator.service.statistics.regions.items()}
    assert str(run(dag, **conf(services)).state) == "success"
    after = {name: region.calls for name, region in services.simulator.service.statistics.regions.items()}
    assert {name for name in after if after[name] != before.get(name)} == {"eu-west-1"}
    assert stored(services) == wanted(services)


def test_late_events_are_found_and_nothing_else_is_loaded(dag: Any, late_dag: Any, services: Services) -> None:
    """The second DAG looks up again: new events are written, the others are not written again."""
    late = sorted(wanted(services))[::7]
    never = datetime.now(UTC).timestamp() + 86_400
    services.simulator.service.arrived.schedule.update(dict.fromkeys(late, never))
    assert str(run(dag, **conf(services)).state) == "success"
    on_time = stored(services)
    services.simulator.service.arrived.schedule.update(dict.fromkeys(late, 0.0))
    expected = wanted(services)
    assert on_time == expected - set(late)

    before = versions(services)
    assert str(run(late_dag, **conf(services)).state) == "success"
    assert stored(services) == expected
    assert versions(services) == before + len(late)
    cells = list(
        Ledger(connect(SearchSettings.from_url(services.search_url)), f"{services.index}-%Y.%m").read_cells()
    )
    assert sum(cell["late"] for cell in cells) == len(late)
    assert {cell["state"] for cell in cells} <= {"complete", "quiet"}


def test_the_late_dag_looks_at_the_day_before_yesterday(late_dag: Any) -> None:
    """Every noon, if unpaused: a second lookup costs as many calls as the first."""
    assert late_dag.is_paused_upon_creation is True
    assert late_dag.catchup is False
    assert sorted(late_dag.task_ids) == ["cell.fetch", "cell.load", "coverage", "plan"]
    assert late_dag.params["days_ago"] == 1


def test_days_are_verified_without_looking_up_or_loading(dag: Any, services: Services) -> None:
    """With `verify`, a run asks only the server, and fails if documents are missing."""
    assert str(run(dag, **conf(services)).state) == "success"
    before = calls(services), versions(services)
    assert str(run(dag, **conf(services, verify=True)).state) == "success"
    server = connect(SearchSettings.from_url(services.search_url))
    gone = sorted(wanted(services))[0]
    body = codec.encode({"query": {"ids": {"values": [gone]}}})
    server.request("POST", f"/{services.index}-*/_delete_by_query?refresh=true", body)
    assert str(run(dag, **conf(services, verify=True)).state) == "failed"
    assert (calls(services), versions(services)) == before


def test_a_replay_loads_the_quarantined_events_of_its_cells_and_nothing_else(dag: Any, services: Services) -> None:
    """A mapping rejects them, the user corrects it, a run with `replay` loads them, and coverage passes."""
    server = connect(SearchSettings.from_url(services.search_url))
    months = {DAY.strftime("%Y.%m"), (DAY + timedelta(days=1)).strftime("%Y.%m")}
    long = {"type": "long"}
    hopeless = {"mappings": {"properties": {"eventName": long, "overflow": long, "unindexed": long}}}
    for month in months:
        server.request("PUT", f"/{services.index}-{month}", codec.encode(hopeless))
    first = run(dag, **conf(services))
    assert str(first.state) == "success"
    expected = wanted(services)
    assert (stored(services), quarantined(services)) == (set(), expected)

    for month in months:
        server.request("DELETE", f"/{services.index}-{month}")
    before = calls(services)
    assert str(run(dag, **conf(services, replay=True)).state) == "success"
    assert (stored(services), quarantined(services)) == (expected, set())
    assert (calls(services), versions(services)) == (before, len(expected))


def quarantined(services: Services) -> set[str]:
    server = connect(SearchSettings.from_url(services.search_url))
    server.request("POST", f"/{QUARANTINE_INDEX}/_refresh")
    body = codec.encode({"query": {"term": {"pattern": f"{services.index}-%Y.%m"}}, "size": 10_000})
    hits = server.request("POST", f"/{QUARANTINE_INDEX}/_search", body)["hits"]["hits"]
    return {hit["_source"]["eventID"] for hit in hits}
