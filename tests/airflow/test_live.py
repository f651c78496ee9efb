"""The DAG of live runs with dag.test(): OpenSearch is real, CloudTrail is the simulator and S3 is moto."""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from cloudtrail_elasticsearch import LiveEvents, cloudtrail_dag
from cloudtrail_elasticsearch.core.coverage.watermarks import Place, Watermark, Watermarks
from cloudtrail_elasticsearch.core.coverage.windows import midnight
from cloudtrail_elasticsearch.core.errors import CoverageError, PlanError, TransientError
from cloudtrail_elasticsearch.core.search.server import SearchServer
from cloudtrail_elasticsearch.operators.follow import CloudTrailFollowOperator
from cloudtrail_elasticsearch.operators.live_plan import CloudTrailLivePlanOperator
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.simulator import DEFAULT_ACCOUNT, REGIONS, Fault, FaultKind
from tests.airflow.conftest import Services, parsed, select_writes
from tests.airflow.test_dag import run, states, stored
from tests.clock import today

DAY = today() - timedelta(days=3)
NOON = midnight(DAY) + timedelta(hours=12)
CHOSEN = ["ap-northeast-3", "eu-west-1", "us-east-1"]
CONTEXT: Any = {}


@pytest.fixture
def live_dag(airflow_home: Path) -> Any:
    """The DAG, as Airflow parses it."""
    return parsed(airflow_home, "cloudtrail_live")


def conf(services: Services, until: datetime, **others: Any) -> dict[str, Any]:
    return {"until": until.isoformat(), "regions": CHOSEN, "index": f"{services.index}-%Y.%m"} | others


def available(services: Services, until: datetime, regions: list[str] = CHOSEN) -> set[str]:
    """Return the eventIDs of the day up to a time."""
    last = until - timedelta(seconds=1)
    return {event for region in regions for event in services.simulator.truth(region, midnight(DAY), last)}


def server(services: Services) -> SearchServer:
    return connect(SearchSettings.from_url(services.search_url))


def read_watermarks(services: Services) -> dict[str, Watermark]:
    watermarks = Watermarks(server(services), f"{services.index}-%Y.%m")
    found = watermarks.read([Place(DEFAULT_ACCOUNT, region) for region in REGIONS])
    return {place.region: watermark for place, watermark in found.items()}


def follow(services: Services, until: datetime, **others: Any) -> list[dict[str, Any]]:
    """Plan and follow without a DAG run, and return the result of each batch."""
    batches = CloudTrailLivePlanOperator(task_id="plan", regions=CHOSEN).execute(CONTEXT)
    arguments = {
        "bucket": services.bucket,
        "index": f"{services.index}-%Y.%m",
        "until": until.isoformat(),
        "own_events": "leave-out",
    } | others
    return [
        CloudTrailFollowOperator(task_id="follow", batch=batch, **arguments).execute(CONTEXT) for batch in batches
    ]


@pytest.mark.promise("nothing-lost")
def test_live_runs_load_a_day_that_the_daily_run_proves(live_dag: Any, dag: Any, services: Services) -> None:
    """Two live runs, then the daily one: the same documents, each once, and every cell adds up."""
    first = run(live_dag, **conf(services, NOON))
    assert states(first) == {"plan": ["success"], "follow": ["success"]}
    assert stored(services) == available(services, NOON)
    later = NOON + timedelta(minutes=30)
    run(live_dag, **conf(services, later))
    assert stored(services) == available(services, later)
    assert max(each.until for each in read_watermarks(services).values()) == later
    end = midnight(DAY) + timedelta(days=1)
    daily = run(dag, start=str(DAY), end=str(end.date()), regions=CHOSEN, index=f"{services.index}-%Y.%m")
    assert states(daily)["coverage"] == ["success"]
    assert available(services, end) <= stored(services)


def test_a_quiet_run_costs_a_call_for_each_region_and_writes_nothing(services: Services, sent: list[str]) -> None:
    """One task follows all regions. Events of the overlap are on the server already."""
    follow(services, NOON)
    assert select_writes(sent)
    sent.clear()
    calls = sum(region.calls for region in services.simulator.service.statistics.regions.values())
    (found,) = follow(services, NOON + timedelta(seconds=1))
    if found["loaded"] == 0:
        assert select_writes(sent) == []
    assert found["calls"] == found["regions"] == len(CHOSEN)
    after = sum(region.calls for region in services.simulator.service.statistics.regions.values())
    assert after - calls == len(CHOSEN)


def test_a_document_that_was_deleted_is_loaded_again_within_the_overlap(services: Services) -> None:
    """The server is asked which events it holds."""
    follow(services, NOON)
    search = server(services)
    search.request("POST", f"/{services.index}-*/_refresh")
    search.request(
        "POST",
        f"/{services.index}-*/_delete_by_query?refresh=true",
        b'{"query":{"range":{"@timestamp":{"gte":"%b"}}}}'
        % (NOON - timedelta(minutes=15)).isoformat().replace("+00:00", "Z").encode(),
    )
    assert len(stored(services)) < len(available(services, NOON))
    follow(services, NOON + timedelta(seconds=1))
    assert stored(services) >= available(services, NOON)


def test_the_failure_of_a_region_does_not_stop_the_others(services: Services) -> None:
    """The task names it; its watermark has the reason, and the next run goes on."""
    services.simulator.service.faults.add(Fault(FaultKind.ACCESS_DENIED, region="eu-west-1"))
    with pytest.raises(CoverageError, match="1 of 3 windows were not followed") as raised:
        follow(services, NOON)
    assert "eu-west-1" in str(raised.value)
    assert stored(services) == available(services, NOON, ["ap-northeast-3", "us-east-1"])
    problem = read_watermarks(services)["eu-west-1"].problem
    assert problem is not None
    assert "cloudtrail:LookupEvents" in problem
    services.simulator.service.faults.clear()
    follow(services, NOON + timedelta(minutes=5))
    assert stored(services) == available(services, NOON + timedelta(minutes=5))
    assert read_watermarks(services)["eu-west-1"].problem is None


def test_an_outage_of_the_search_server_moves_no_watermark(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run fails soon, and the next one loads the events of both."""
    follow(services, NOON)
    before = read_watermarks(services)
    monkeypatch.setattr("cloudtrail_elasticsearch.operators.follow.PATIENCE", 0.5)
    with monkeypatch.context() as away:
        gone = (
            '{"conn_type": "cloudtrail_search", "host": "127.0.0.1", "port": 1, "extra": {"engine": "opensearch"}}'
        )
        away.setenv("AIRFLOW_CONN_ELASTICSEARCH_DEFAULT", gone)
        with pytest.raises(TransientError):
            follow(services, NOON + timedelta(minutes=5))
    assert read_watermarks(services) == before
    follow(services, NOON + timedelta(minutes=10))
    assert stored(services) == available(services, NOON + timedelta(minutes=10))


@pytest.mark.parametrize(("until", "words"), [("noon", "not a time"), ("2999-01-01T00:00:00Z", "in the future")])
def test_a_wrong_time_is_reported(services: Services, until: str, words: str) -> None:
    batch = CloudTrailLivePlanOperator(task_id="plan", regions=CHOSEN).execute(CONTEXT)[0]
    operator = CloudTrailFollowOperator(task_id="follow", batch=batch, bucket=services.bucket, until=until)
    with pytest.raises(PlanError, match=words):
        operator.execute(CONTEXT)


def test_the_lag_is_a_metric_of_each_region(
    services: Services, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """With its account and region as tags and in its name."""
    from airflow.providers.common.compat.sdk import Stats

    seen: list[tuple[str, float, Any]] = []
    monkeypatch.setattr(Stats, "gauge", lambda name, value, tags=None, **_: seen.append((name, value, tags)))
    with caplog.at_level(logging.INFO):
        follow(services, NOON)
    assert [name for name, _, _ in seen] == [f"cloudtrail.lag.{DEFAULT_ACCOUNT}.{region}" for region in CHOSEN]
    assert all(0 <= value < 120 for _, value, _ in seen)
    assert seen[0][2] == {"account": DEFAULT_ACCOUNT, "region": CHOSEN[0], "source": "lookup_events"}


@pytest.mark.usefixtures("airflow_home")
def test_the_factory_makes_a_dag_that_never_overlaps_itself() -> None:
    """Every five minutes, off until it is unpaused; each setting of Airflow can be given."""
    from airflow.timetables.interval import CronDataIntervalTimetable

    dag = cloudtrail_dag("own_live", source=LiveEvents(regions=["eu-west-1"], overlap_minutes=20))
    assert (dag.max_active_runs, dag.catchup, dag.is_paused_upon_creation) == (1, False, True)
    assert isinstance(dag.timetable, CronDataIntervalTimetable)
    assert dag.timetable.serialize()["expression"] == "*/5 * * * *"
    assert sorted(dag.task_ids) == ["follow", "plan"]
    assert dag.params["overlap_minutes"] == 20
    assert dag.params["own_events"] == "leave-out"
    other = cloudtrail_dag(
        "other_live",
        source=LiveEvents(),
        schedule="*/10 * * * *",
        max_active_runs=2,
        task_args={"follow": {"pool": "live"}},
    )
    assert isinstance(other.timetable, CronDataIntervalTimetable)
    assert other.timetable.serialize()["expression"] == "*/10 * * * *"
    assert other.max_active_runs == 2
