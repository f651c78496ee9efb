"""The DAGs of a trail with dag.test(): OpenSearch is real, CloudTrail is the simulator and S3 is moto."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pendulum
import pytest

from cloudtrail_elasticsearch.core.coverage import batches
from cloudtrail_elasticsearch.core.coverage.ledger import Ledger
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.errors import ConfigurationError, PlanError
from cloudtrail_elasticsearch.operators.trail_plan import CloudTrailTrailPlanOperator
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from cloudtrail_elasticsearch.ui.operator_links import CoverageLink
from devstack.simulator.trails import Switches, Volumes, Written, plan_organization, tampering
from devstack.simulator.trails.plan import HOUR
from devstack.storage_faults import CONTROL, StorageFaultKind
from tests.airflow.conftest import TRAIL_REGIONS, Services, TrailServices
from tests.airflow.test_dag import run, states
from tests.clock import today

DAY = today() - timedelta(days=4)
WINDOWS = 2 * len(TRAIL_REGIONS)


def conf(trail: TrailServices, **others: Any) -> dict[str, Any]:
    return {"start": str(DAY), "index": f"{trail.index}-%Y.%m"} | others


def ids(written: Written, *, without: tuple[str, ...] = ()) -> set[str]:
    """Return the ids of the events that were delivered on the day."""
    files = [file for file in written.log_files if file.day == DAY and file.key not in without]
    return {event_id for file in files for event_id in file.event_ids}


def stored(trail: TrailServices) -> set[str]:
    """Return the ids of all documents; aggregated events have no eventID."""
    server = connect(SearchSettings.from_url(trail.search_url))
    server.request("POST", f"/{trail.index}-*/_refresh")
    body = codec.encode({"query": {"match_all": {}}, "size": 10_000, "_source": False})
    return {hit["_id"] for hit in server.request("POST", f"/{trail.index}-*/_search", body)["hits"]["hits"]}


def versions(trail: TrailServices) -> int:
    """Return how often documents were written, by the server's count."""
    server = connect(SearchSettings.from_url(trail.search_url))
    answer = server.request("GET", f"/{trail.index}-*/_stats/indexing")
    total: int = answer["_all"]["primaries"]["indexing"]["index_total"]
    return total


def cells(trail: TrailServices) -> list[dict[str, Any]]:
    server = connect(SearchSettings.from_url(trail.search_url))
    return list(Ledger(server, f"{trail.index}-%Y.%m").read_cells())


@pytest.fixture
def faulty_s3(trail_services: TrailServices) -> Iterator[TrailServices]:
    yield trail_services
    break_s3(trail_services, "DELETE")


def break_s3(trail: TrailServices, method: str, **fault: Any) -> None:
    data = json.dumps({"bucket": trail.trail.bucket, **fault}).encode() if fault else None
    request = urllib.request.Request(f"{trail.aws}{CONTROL}", data, method=method)
    urllib.request.urlopen(request, timeout=30).close()


def test_the_dags_are_paused_at_first_and_have_one_day_intervals(trail_dag: Any, late_files_dag: Any) -> None:
    """Without a trail, a run would only fail."""
    for dag in (trail_dag, late_files_dag):
        assert dag.is_paused_upon_creation is True
        assert dag.catchup is False
        assert sorted(dag.task_ids) == ["cell.list", "cell.load", "compare", "coverage", "plan"]


def test_params_have_a_schema(trail_dag: Any) -> None:
    """The form rejects invalid values."""
    from airflow.sdk.exceptions import ParamValidationError

    assert sorted(trail_dag.params) == [
        "accounts",
        "ecs",
        "end",
        "force",
        "index",
        "kinds",
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
        "trail",
        "trail_bucket",
        "trail_prefix",
        "verify",
    ]
    for name, value in {
        "trail": "organization",
        "trail_bucket": "A_bucket",
        "accounts": ["1234"],
        "kinds": ["Config"],
        "tasks": 0,
        "settle_minutes": -1,
    }.items():
        with pytest.raises(ParamValidationError):
            trail_dag.params.get_param(name).resolve(value)


@pytest.mark.promise("nothing-lost", "no-duplicates", "proven-by-aws")
def test_every_event_of_the_trail_is_loaded_once_and_signed(trail_dag: Any, trail_services: TrailServices) -> None:
    """Of every account, region and kind. A second run lists no window again and writes no document."""
    written = trail_services.write()
    first = run(trail_dag, **conf(trail_services))
    assert states(first) == {
        "plan": ["success"],
        "cell.list": ["success"],
        "cell.load": ["success"],
        "coverage": ["success"],
        "compare": ["success"],
    }
    assert len(ids(written)) > 200
    assert stored(trail_services) == ids(written)
    found = cells(trail_services)
    assert {(cell["account"], cell["region"]) for cell in found} == {*trail_services.plan.cells()}
    assert {(cell["state"], cell["proof"], cell["source"]) for cell in found} == {("complete", "signed", "trail")}
    names = {task.rendered_map_index for task in first.get_task_instances() if task.task_id == "cell.load"}
    assert names == {f"{DAY} 1 of 1: {WINDOWS} windows of 2 accounts"}

    before = versions(trail_services), found[0]["staged_at"]
    assert str(run(trail_dag, **conf(trail_services)).state) == "success"
    assert (versions(trail_services), cells(trail_services)[0]["staged_at"]) == before


@pytest.mark.promise("nothing-lost", "proven-by-aws")
def test_tampered_objects_fail_their_cells_by_name_and_everything_else_is_loaded(
    trail_dag: Any, trail_services: TrailServices
) -> None:
    """An altered file, a deleted file, a deleted digest and a foreign object, each in a window of its own."""
    written = trail_services.write()
    windows = sorted(trail_services.plan.cells())
    of_window = [
        [file for file in written.log_files if (file.account, file.region) == each and file.day == DAY]
        for each in windows
    ]
    altered = of_window[0][1].key
    tampering.change_event(trail_services.objects, altered)
    gone = of_window[1][2].key
    trail_services.objects.delete(gone)
    digests = [each for each in written.digests if (each.account, each.region) == windows[2]]
    digest = digests[len(digests) // 2].key
    trail_services.objects.delete(digest)
    foreign = f"{of_window[3][0].key.rpartition('/')[0]}/notes.txt"
    trail_services.objects.put(foreign, b"notes", {})

    failed = run(trail_dag, **conf(trail_services))
    assert str(failed.state) == "failed"
    assert states(failed)["cell.load"] == ["success"]
    assert stored(trail_services) >= ids(written, without=(altered, gone))
    problems = {(cell["account"], cell["region"]): cell for cell in cells(trail_services)}
    for window, key in zip(windows, (altered, gone, digest, foreign), strict=True):
        assert problems[window]["state"] == "failed", window
        assert key in problems[window]["problem"]
        assert [finding["key"] for finding in problems[window]["findings"] if finding["key"]] == [key]


@pytest.mark.promise("nothing-lost", "restartable")
def test_a_window_that_cannot_be_listed_stops_no_other(trail_dag: Any, faulty_s3: TrailServices) -> None:
    """It is named, the others are loaded, and the next run loads it."""
    written = faulty_s3.write()
    account, region = sorted(faulty_s3.plan.cells())[0]
    folder = f"{faulty_s3.trail.root}{account}/CloudTrail-Digest/{region}/"
    for digest in written.digests:
        if digest.key.startswith(folder):
            place = {"Bucket": faulty_s3.trail.bucket, "Key": digest.key}
            faulty_s3.s3.copy_object(CopySource=place, ServerSideEncryption="aws:kms", **place)
    break_s3(faulty_s3, "POST", kind=StorageFaultKind.DECRYPTION_DENIED, prefix=folder)
    failed = run(trail_dag, **conf(faulty_s3))
    assert states(failed) == {
        "plan": ["success"],
        "cell.list": ["failed"],
        "cell.load": ["failed"],
        "coverage": ["failed"],
        "compare": ["upstream_failed"],
    }
    of_others = [file for file in written.log_files if (file.account, file.region) != (account, region)]
    assert stored(faulty_s3) == ids(Written(tuple(of_others)))
    found = {(cell["account"], cell["region"]): cell["state"] for cell in cells(faulty_s3)}
    assert found.pop((account, region)) == "missing"
    assert set(found.values()) == {"complete"}

    break_s3(faulty_s3, "DELETE")
    before = versions(faulty_s3)
    assert str(run(trail_dag, **conf(faulty_s3)).state) == "success"
    assert stored(faulty_s3) == ids(written)
    assert versions(faulty_s3) == before + len(ids(written)) - len(ids(Written(tuple(of_others))))


@pytest.mark.promise("nothing-lost")
def test_a_busy_day_is_divided_over_tasks_and_is_one_cell_of_the_ledger(
    trail_dag: Any, trail_services: TrailServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every part is loaded, and the ledger has one document for each window."""
    monkeypatch.setattr(batches, "PIECE_SECONDS", 0.06)
    monkeypatch.setattr(batches, "TASK_SECONDS", 0.01)
    written = trail_services.write()
    done = run(trail_dag, **conf(trail_services, tasks=5))
    assert states(done) == {
        "plan": ["success"],
        "cell.list": ["success"] * 5,
        "cell.load": ["success"] * 5,
        "coverage": ["success"],
        "compare": ["success"],
    }
    assert stored(trail_services) == ids(written)
    found = cells(trail_services)
    assert len(found) == WINDOWS
    assert {(cell["state"], cell["proof"]) for cell in found} == {("complete", "signed")}
    files = [file for file in written.log_files if file.day == DAY]
    assert sum(cell["files"] for cell in found) == len(files)


@pytest.mark.promise("nothing-lost", "proven-by-aws")
def test_late_files_are_found_and_unchanged_windows_are_not_read(
    trail_dag: Any, late_files_dag: Any, trail_services: TrailServices
) -> None:
    """A digest that comes late closes the proof."""
    switches = Switches(slow=0.0, late=0.05, late_by=(30 * HOUR, 31 * HOUR))
    trail_services = replace(trail_services, plan=replace(trail_services.plan, switches=switches))
    # The digests of the day have arrived, and no late log file has.
    cut = trail_services.plan.start + 29 * HOUR
    on_time = trail_services.write((0, cut))
    assert str(run(trail_dag, **conf(trail_services)).state) == "success"
    assert stored(trail_services) == ids(on_time)

    late = trail_services.write((cut, 1 << 62))
    assert ids(late)
    changed = {(file.account, file.region) for file in late.log_files if file.day == DAY}
    before = {(cell["account"], cell["region"]): cell["verified_at"] for cell in cells(trail_services)}
    assert str(run(late_files_dag, **conf(trail_services)).state) == "success"
    assert stored(trail_services) == ids(on_time) | ids(late)
    found = {(cell["account"], cell["region"]): cell for cell in cells(trail_services)}
    assert {cell["proof"] for cell in found.values()} == {"signed"}
    assert {window for window, cell in found.items() if cell["verified_at"] != before[window]} >= changed
    again = versions(trail_services), [cell["verified_at"] for cell in cells(trail_services)]
    assert str(run(late_files_dag, **conf(trail_services)).state) == "success"
    assert (versions(trail_services), [cell["verified_at"] for cell in cells(trail_services)]) == again


@pytest.mark.promise("proven-by-aws")
def test_digests_that_come_later_close_the_proof(trail_dag: Any, trail_services: TrailServices) -> None:
    """Until then the cells have a gap, which fails the run; the events are loaded."""
    midnight = trail_services.plan.start + 24 * HOUR
    written = trail_services.write((0, midnight + 60))
    assert str(run(trail_dag, **conf(trail_services)).state) == "failed"
    assert {cell["proof"] for cell in cells(trail_services)} == {"gap"}
    assert stored(trail_services) == ids(written)
    rest = trail_services.write((midnight + 60, 1 << 62))
    assert str(run(trail_dag, **conf(trail_services, force=True)).state) == "success"
    assert {cell["proof"] for cell in cells(trail_services)} == {"signed"}
    assert stored(trail_services) == ids(written) | ids(rest)


def test_a_day_of_both_sources_is_compared(trail_dag: Any, dag: Any, trail_services: TrailServices) -> None:
    """When the trail's next day is loaded: the ledger has the events that only one source has."""
    volume = trail_services.simulator.service.settings.volume
    plan = plan_organization(
        trail_services.trail,
        DAY,
        days=2,
        accounts=1,
        regions=TRAIL_REGIONS,
        volumes=Volumes(management=volume, data=40, network=0, insights=0),
    )
    trail_services = replace(trail_services, plan=replace(plan, end=plan.end + 3 * HOUR))
    written = trail_services.write()
    days = conf(trail_services, regions=[TRAIL_REGIONS[0]])
    assert str(run(dag, **days).state) == "success"
    assert str(run(trail_dag, **days).state) == "success"
    assert all("comparison" not in cell for cell in cells(trail_services))

    # Before its next day is loaded, an event of the first one is removed from the trail.
    removed = next(
        file for file in written.log_files if file.region == TRAIL_REGIONS[0] and file.kind == "CloudTrail"
    )
    unsigned = replace(trail_services.trail, validation=False)
    trail_services.simulator.service.trails[unsigned.arn] = unsigned
    trail_services.objects.delete(removed.key)
    tomorrow = {**days, "start": str(DAY + timedelta(days=1))}
    assert str(run(trail_dag, **tomorrow).state) == "success"
    (looked_up,) = [cell for cell in cells(trail_services) if cell["source"] == "lookup_events"]
    found = looked_up["comparison"]
    assert found["only_trail"]["events"] == 0
    assert set(found["only_lookup_events"]["ids"]) <= set(removed.event_ids)
    assert found["both"] + found["only_lookup_events"]["events"] == looked_up["staged"] > 50


def test_without_days_the_plan_is_the_data_interval(trail_services: TrailServices) -> None:
    """In whichever type Airflow passes its times."""
    trail_services.write()
    start = pendulum.datetime(DAY.year, DAY.month, DAY.day, tz="UTC")
    context: Any = {"data_interval_start": start, "data_interval_end": start.add(days=1)}
    operator = CloudTrailTrailPlanOperator(task_id="plan", bucket=trail_services.bucket)
    (batch,) = operator.execute(context)
    assert (batch["day"], batch["windows"]) == (str(DAY), WINDOWS)
    assert len(json.dumps(batch)) < 400


def test_variables_narrow_the_runs_that_have_no_params(
    trail_services: TrailServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So a scheduled run can leave an account out; a misspelt name is reported instead of ignored."""
    trail_services.write()

    def count_windows(**given: Any) -> int:
        operator = CloudTrailTrailPlanOperator(
            task_id="plan", start=str(DAY), bucket=trail_services.bucket, **given
        )
        return sum(batch["windows"] for batch in operator.execute({}))

    account = sorted(trail_services.plan.accounts)[0]
    monkeypatch.setenv("AIRFLOW_VAR_CLOUDTRAIL_TRAIL_ACCOUNTS", f"-{account}")
    assert count_windows() == WINDOWS / 2
    assert count_windows(accounts=account, regions=TRAIL_REGIONS[0]) == 1
    monkeypatch.setenv("AIRFLOW_VAR_CLOUDTRAIL_TRAIL_REGIONS", f"{TRAIL_REGIONS[1]}, {TRAIL_REGIONS[0]}")
    monkeypatch.setenv("AIRFLOW_VAR_CLOUDTRAIL_TRAIL_KINDS", "CloudTrail CloudTrail-Insight")
    assert count_windows() == WINDOWS / 2
    monkeypatch.setenv("AIRFLOW_VAR_CLOUDTRAIL_TRAIL_ACCOUNTS", f"-{account[:-1]}")
    with pytest.raises(PlanError, match=f"accounts has '-{account[:-1]}': correct the run's param or the Airflow"):
        count_windows()


def plan_without_a_trail(**arguments: Any) -> list[dict[str, Any]]:
    context: Any = {}
    operator = CloudTrailTrailPlanOperator(task_id="plan", start=str(DAY), **arguments)
    return operator.execute(context)


def test_a_run_without_a_trail_fails_in_one_sentence(services: Services) -> None:
    """The message names the variables; other wrong arguments are reported alike."""
    staged = {"bucket": services.bucket}
    with pytest.raises(PlanError, match="No trail is configured: set the Airflow variable cloudtrail_trail to"):
        plan_without_a_trail(**staged)
    with pytest.raises(PlanError, match="not the ARN of a trail"):
        plan_without_a_trail(trail="organization", **staged)
    with pytest.raises(PlanError, match="Both trail and trail_bucket are given"):
        plan_without_a_trail(trail="arn:aws:cloudtrail:us-east-1:123456789012:trail/x", trail_bucket="y", **staged)
    with pytest.raises(ConfigurationError, match="bucket no-such-bucket does not exist"):
        plan_without_a_trail(trail_bucket="no-such-bucket", **staged)
    with pytest.raises(ConfigurationError, match="TrailNotFoundException"):
        plan_without_a_trail(trail="arn:aws:cloudtrail:us-east-1:123456789012:trail/missing", **staged)
    with pytest.raises(ConfigurationError, match="There are no log files below"):
        plan_without_a_trail(trail_bucket=services.bucket, **staged)
    with pytest.raises(PlanError, match="tasks is 0"):
        plan_without_a_trail(trail_bucket=services.bucket, tasks=0, **staged)


def test_tasks_link_to_the_days_of_their_batches() -> None:
    """On the coverage page, with the trail as the source."""
    batches = [{"day": f"2026-11-{day}", "plan": "key", "name": "…"} for day in (21, 20)]
    link = CoverageLink()
    assert link.address({"planned": batches, "index": "one"}) == (
        "/cloudtrail/coverage#pattern=one&first=2026-11-20&last=2026-11-21&source=trail"
    )
    assert link.address({"batch": batches[0]}).endswith("#first=2026-11-21&last=2026-11-21&source=trail")
    assert link.address({"planned": "Truncated.", "index": "one"}).endswith("#pattern=one")
    assert {each.__name__ for each in link.operators} > {"CloudTrailTrailListOperator"}
