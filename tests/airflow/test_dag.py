"""The whole DAG, through dag.test(): simulator, S3 and OpenSearch are real, or as real as they come."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.ledger import Ledger
from cloudtrail_elasticsearch.core.mapping import QUARANTINE_INDEX
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.faults.proof import indexed, truth
from devstack.processes import ROOT
from devstack.simulator import Fault, FaultKind
from tests.airflow.conftest import Services

DAY = datetime.now(UTC).date() - timedelta(days=3)
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
    """The eventIDs of the two days, as the simulator lists them."""
    return set(truth(services.simulator, REGIONS, DAY, 2))


def stored(services: Services) -> set[str]:
    """The eventIDs of all documents."""
    return set(indexed(connect(SearchSettings.from_url(services.search_url)), f"{services.index}-*"))


def calls(services: Services) -> int:
    return sum(region.calls for region in services.simulator.service.statistics.regions.values())


def test_the_dag_reads_as_the_pipeline() -> None:
    """It is short, and says nothing that the operators could say."""
    lines = (ROOT / "dags" / "cloudtrail_to_elasticsearch.py").read_text().splitlines()
    assert len(lines) <= 75


def test_the_dag_has_one_day_intervals(dag: Any) -> None:
    """A real data interval of a day, in UTC, and no catching up by itself."""
    from airflow.timetables.interval import CronDataIntervalTimetable

    assert isinstance(dag.timetable, CronDataIntervalTimetable)
    assert dag.catchup is False
    assert sorted(dag.task_ids) == ["cell.fetch", "cell.load", "coverage", "plan"]


def test_params_have_a_schema(dag: Any) -> None:
    """The form has date pickers and a multi-select, and refuses what cannot be."""
    schemas = {name: dag.params.get_param(name).schema for name in dag.params}
    assert sorted(schemas) == [
        "ecs",
        "end",
        "force",
        "index",
        "mapping",
        "own_events",
        "prefix",
        "regions",
        "replay",
        "settle_minutes",
        "start",
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
    }.items():
        with pytest.raises(ParamValidationError):
            dag.params.get_param(name).resolve(value)


@pytest.mark.parametrize("mapping", ["typed", "flattened"])
def test_every_event_of_the_planned_cells_is_indexed_once(dag: Any, services: Services, mapping: str) -> None:
    """By eventID, over several regions and days; a second run asks CloudTrail nothing and sends nothing."""
    first = run(dag, **conf(services, mapping=mapping))
    assert states(first) == {
        "plan": ["success"],
        "cell.fetch": ["success"] * 4,
        "cell.load": ["success"] * 4,
        "coverage": ["success"],
    }
    names = {task.rendered_map_index for task in first.get_task_instances() if task.task_id == "cell.load"}
    assert names == {f"{region} {DAY + timedelta(days=day)}" for region in REGIONS for day in (0, 1)}
    expected = wanted(services)
    assert len(expected) > 50
    assert stored(services) == expected

    before = calls(services), versions(services)
    assert str(run(dag, **conf(services, mapping=mapping)).state) == "success"
    assert (calls(services), versions(services)) == before


def versions(services: Services) -> int:
    """How often documents were written, as the server counts it."""
    server = connect(SearchSettings.from_url(services.search_url))
    total: int = server.request("GET", f"/{services.index}-*/_stats/indexing")["_all"]["primaries"]["indexing"][
        "index_total"
    ]
    return total


def test_a_failed_cell_fails_the_run_by_name_and_costs_no_other(dag: Any, services: Services) -> None:
    """Coverage names the cell; the others are loaded; the next run mends it without asking for them again."""
    services.simulator.service.faults.add(Fault(FaultKind.ACCESS_DENIED, region="eu-west-1"))
    failed = run(dag, **conf(services))
    assert str(failed.state) == "failed"
    assert states(failed)["cell.fetch"] == ["failed"] * 2 + ["success"] * 2
    assert states(failed)["cell.load"] == ["success"] * 2 + ["upstream_failed"] * 2
    assert states(failed)["coverage"] == ["failed"]
    assert stored(services) < wanted(services)

    services.simulator.service.faults.clear()
    before = {name: region.calls for name, region in services.simulator.service.statistics.regions.items()}
    assert str(run(dag, **conf(services)).state) == "success"
    after = {name: region.calls for name, region in services.simulator.service.statistics.regions.items()}
    assert {name for name in after if after[name] != before.get(name)} == {"eu-west-1"}
    assert stored(services) == wanted(services)


def test_late_events_are_found_and_nothing_else_is_loaded(dag: Any, late_dag: Any, services: Services) -> None:
    """The second DAG looks again: what came after the load is loaded, the rest is not sent again."""
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
    assert versions(services) == before + len(expected)
    cells = list(Ledger(connect(SearchSettings.from_url(services.search_url)), f"{services.index}-%Y.%m").cells())
    assert sum(cell["late"] for cell in cells) == len(late)
    assert {cell["state"] for cell in cells} <= {"complete", "quiet"}


def test_the_late_dag_looks_at_the_day_before_yesterday(late_dag: Any) -> None:
    """Every noon, where somebody unpaused it: a second look costs as many calls as the first."""
    assert late_dag.is_paused_upon_creation is True
    assert late_dag.catchup is False
    assert sorted(late_dag.task_ids) == ["cell.fetch", "cell.load", "coverage", "plan"]
    assert late_dag.params["days_ago"] == 1


def test_days_are_verified_without_looking_up_or_loading(dag: Any, services: Services) -> None:
    """With `verify`, a run asks the server, and fails where something is gone."""
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
    """A mapping refuses them, the user mends it, a run with `replay` brings them in, and coverage adds up."""
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
