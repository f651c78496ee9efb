"""The DAG of live runs of a trail: OpenSearch is real, CloudTrail is the simulator and S3 is moto."""

from __future__ import annotations

import gzip
import json
import random
import urllib.request
import uuid
from collections import deque
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.coverage.watermarks import Place, Watermark, Watermarks
from cloudtrail_elasticsearch.core.coverage.windows import midnight
from cloudtrail_elasticsearch.core.errors import PlanError, TransientError
from cloudtrail_elasticsearch.core.search.server import SearchServer
from cloudtrail_elasticsearch.hooks import cloudtrail
from cloudtrail_elasticsearch.hooks.account_clients import make_config
from cloudtrail_elasticsearch.operators import trail_follow
from cloudtrail_elasticsearch.operators.trail_follow import CloudTrailTrailFollowOperator
from cloudtrail_elasticsearch.operators.trail_live_plan import CloudTrailTrailLivePlanOperator
from cloudtrail_elasticsearch.pipeline.trail_live import LiveFiles
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.simulator.trails import MemoryBucket, Volumes, Written, write_trail
from devstack.storage_faults import CONTROL, StorageFaultKind
from tests.airflow.conftest import TrailServices, parsed, select_writes
from tests.airflow.test_dag import run, states
from tests.airflow.test_trail_dag import DAY, stored

MINUTES = timedelta(minutes=5)
NOON = midnight(DAY) + timedelta(hours=12)
CONTEXT: Any = {}
SERVER_OUTAGE, S3_OUTAGE, KILLS = range(10, 16), range(26, 28), (22, 35)
"""The runs of four hours during which something fails."""


class KilledError(BaseException):
    """The process is killed."""


@pytest.fixture
def live_dag(airflow_home: Any) -> Any:
    """The DAG, as Airflow parses it."""
    return parsed(airflow_home, "cloudtrail_trail_live")


def epoch(time: datetime) -> int:
    return int(time.timestamp())


def ids(*written: Written) -> set[str]:
    return {event for each in written for file in each.log_files for event in file.event_ids}


def server(trail: TrailServices) -> SearchServer:
    return connect(SearchSettings.from_url(trail.search_url))


def plan(**chosen: Any) -> list[dict[str, Any]]:
    return CloudTrailTrailLivePlanOperator(task_id="plan", **chosen).execute(CONTEXT)


def follow(trail: TrailServices, until: datetime, batches: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    """Follow all folders without a DAG run, and return the result of the only batch."""
    (batch,) = batches or plan()
    task = CloudTrailTrailFollowOperator(
        task_id="follow", batch=batch, index=f"{trail.index}-%Y.%m", until=until.isoformat()
    )
    return task.execute(CONTEXT)


def read_watermarks(trail: TrailServices) -> dict[Place, Watermark]:
    places = [
        Place(account, region, Source.TRAIL, kind)
        for (batch,) in [plan()]
        for account, region, kind in batch["folders"]
    ]
    return Watermarks(server(trail), f"{trail.index}-%Y.%m").read(places)


def test_the_dag_is_paused_at_first_and_runs_one_at_a_time(live_dag: Any) -> None:
    assert live_dag.is_paused_upon_creation is True
    assert (live_dag.max_active_runs, live_dag.catchup) == (1, False)
    assert sorted(live_dag.task_ids) == ["follow", "plan"]
    assert "prefix" not in live_dag.params


@pytest.mark.promise("nothing-lost", "no-duplicates")
def test_live_runs_load_what_the_daily_run_proves(
    live_dag: Any, trail_dag: Any, trail_services: TrailServices
) -> None:
    """Two live runs, then the daily one: the same documents, each once, and every cell adds up."""
    index = f"{trail_services.index}-%Y.%m"
    first = trail_services.write((0, epoch(NOON)))
    done = run(live_dag, until=NOON.isoformat(), index=index)
    assert states(done) == {"plan": ["success"], "follow": ["success"]}
    assert stored(trail_services) == ids(first) != set()
    end = midnight(DAY) + timedelta(days=1)
    second = trail_services.write((epoch(NOON), epoch(end)))
    run(live_dag, until=(end - timedelta(seconds=1)).isoformat(), index=index)
    live = stored(trail_services)
    assert live == ids(first, second)
    trail_services.write((epoch(end), 1 << 62))
    daily = run(trail_dag, start=str(DAY), index=index)
    assert states(daily)["coverage"] == ["success"]
    assert stored(trail_services) == live


@pytest.mark.promise("bounded")
def test_a_quiet_run_costs_a_listing_of_each_folder_and_writes_nothing(
    trail_services: TrailServices, sent: list[str]
) -> None:
    trail_services.write((0, epoch(NOON)))
    batches = plan()
    follow(trail_services, NOON, batches)
    assert select_writes(sent)
    sent.clear()
    figures = follow(trail_services, NOON + timedelta(seconds=1), batches)
    assert figures["files"] == 0
    assert figures["listings"] == figures["folders"] == len(batches[0]["folders"])
    assert select_writes(sent) == []


def test_an_event_of_a_new_region_is_loaded_by_the_next_run(trail_services: TrailServices) -> None:
    """The plan lists the bucket each time."""
    trail_services.write((0, epoch(NOON)))
    follow(trail_services, NOON)
    account = trail_services.plan.accounts[0]
    event_id = str(uuid.uuid4())
    text = json.dumps({"Records": [{"eventID": event_id, "eventTime": f"{DAY}T12:01:00Z"}]})
    name = f"{account}_CloudTrail_eu-north-1_{DAY:%Y%m%d}T1202Z_0123456789abcdef.json.gz"
    put(trail_services, account, "eu-north-1", name, gzip.compress(text.encode()))
    follow(trail_services, NOON + MINUTES)
    assert event_id in stored(trail_services)


def put(trail: TrailServices, account: str, region: str, name: str, body: bytes) -> str:
    """Put an object into a region's folder of the day, and return its key."""
    any_key = trail.s3.list_objects_v2(Bucket=trail.trail.bucket)["Contents"][0]["Key"]
    root = any_key[: any_key.index("AWSLogs/")] + "AWSLogs/" + any_key.split("AWSLogs/")[1].split("/")[0]
    key = f"{root}/{account}/CloudTrail/{region}/{DAY:%Y/%m/%d}/{name}"
    trail.s3.put_object(Bucket=trail.trail.bucket, Key=key, Body=body)
    return key


def test_a_damaged_log_file_stops_no_other_and_is_named(trail_services: TrailServices) -> None:
    """The watermark names it, a later run does not read it again, and the daily run reports it."""
    first = trail_services.write((0, epoch(NOON)))
    follow(trail_services, NOON)
    account, region = next(iter(trail_services.plan.cells()))
    name = f"{account}_CloudTrail_{region}_{DAY:%Y%m%d}T1201Z_0123456789abcdef.json.gz"
    key = put(trail_services, account, region, name, b"\x1f\x8b damaged")
    second = trail_services.write((epoch(NOON), epoch(NOON + MINUTES)))
    follow(trail_services, NOON + MINUTES)
    assert stored(trail_services) == ids(first, second)
    place = Place(account, region, Source.TRAIL, "CloudTrail")
    problem = read_watermarks(trail_services)[place].problem or ""
    assert key in problem
    assert "gzip" in problem
    assert follow(trail_services, NOON + MINUTES)["files"] == 0
    assert read_watermarks(trail_services)[place].problem == problem


@pytest.fixture
def break_s3(trail_services: TrailServices) -> Iterator[Any]:
    """Switches S3 faults of the trail's bucket on and off."""

    def switch(method: str, **fault: Any) -> None:
        data = json.dumps({"bucket": trail_services.trail.bucket, **fault}).encode() if fault else None
        request = urllib.request.Request(f"{trail_services.aws}{CONTROL}", data, method=method)
        urllib.request.urlopen(request, timeout=30).close()

    yield switch
    switch("DELETE")


@pytest.mark.slow
@pytest.mark.parametrize("volumes", [Volumes(management=80, data=40, network=20, insights=2.0)], ids=["busy"])
@pytest.mark.promise("nothing-lost", "restartable")
def test_four_hours_with_late_files_two_kills_and_two_outages(
    trail_services: TrailServices, break_s3: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each event is on the server after the first whole run that follows the arrival of its file."""
    objects = MemoryBucket()
    written = write_trail(trail_services.plan, objects)
    end = NOON + timedelta(hours=4)
    drawn = random.Random(7)
    arriving = deque(
        sorted(
            (
                datetime.fromtimestamp(file.delivered, UTC) + timedelta(minutes=drawn.choice((0, 0, 0, 7, 14))),
                file.key,
                frozenset(file.event_ids),
            )
            for file in written.log_files
            if file.day == DAY and file.delivered < epoch(end)
        )
    )
    expected: set[str] = set()
    put_object = partial(trail_services.s3.put_object, Bucket=trail_services.trail.bucket)
    monkeypatch.setattr(trail_follow, "PATIENCE", 0.2)
    # Otherwise botocore waits for half a minute before it reports that S3 is out of order.
    monkeypatch.setattr(cloudtrail, "make_config", partial(make_config, attempts=2))
    for step in range(49):
        now = NOON + step * MINUTES
        while arriving and arriving[0][0] <= now:
            _, key, events = arriving.popleft()
            put_object(Key=key, Body=objects.objects[key][0])
            expected |= events
        if step in SERVER_OUTAGE:
            with monkeypatch.context() as patched:
                patched.setenv("AIRFLOW_CONN_ELASTICSEARCH_DEFAULT", "elasticsearch://127.0.0.1:9")
                with pytest.raises(TransientError):
                    follow(trail_services, now)
            continue
        if step in S3_OUTAGE:
            batches = plan()
            break_s3("POST", kind=StorageFaultKind.INTERNAL_ERROR)
            with pytest.raises(TransientError):
                follow(trail_services, now, batches)
            break_s3("DELETE")
            continue
        if step in KILLS:
            kill_after_load(trail_services, now, monkeypatch)
        follow(trail_services, now)
        assert stored(trail_services) == expected
    assert len(expected) > 100


def kill_after_load(trail: TrailServices, now: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    """Follow, and kill the process after the first load, before its watermark is stored."""
    load = LiveFiles.load

    def load_and_die(self: LiveFiles, files: Any) -> Any:
        load(self, files)
        raise KilledError

    with monkeypatch.context() as patched:
        patched.setattr(LiveFiles, "load", load_and_die)
        with pytest.raises(KilledError):
            follow(trail, now)


def test_the_plan_has_every_folder_once(trail_services: TrailServices) -> None:
    trail_services.write((0, epoch(NOON)))
    (batch,) = plan()
    folders = [tuple(each) for each in batch["folders"]]
    assert len(folders) == len(set(folders))
    assert {(account, region) for account, region, _ in folders} == {*trail_services.plan.cells()}
    chosen = plan(regions=["us-east-1"], kinds=["CloudTrail"])
    assert {(region, kind) for _, region, kind in chosen[0]["folders"]} == {("us-east-1", "CloudTrail")}
    with pytest.raises(PlanError, match="no log files of these regions: eu-south-1"):
        plan(regions=["eu-south-1"])


def test_a_time_in_the_future_is_an_error(trail_services: TrailServices) -> None:
    trail_services.write((0, epoch(NOON)))
    with pytest.raises(PlanError, match="in the future"):
        follow(trail_services, datetime.now(UTC) + timedelta(days=1))
