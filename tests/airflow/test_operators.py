"""The operators one by one: their plans, and the error message for each impossible request."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import boto3
import pytest

from cloudtrail_elasticsearch.core.coverage.batch_cells import pack_cells, unpack_cells
from cloudtrail_elasticsearch.core.coverage.cells import Cell
from cloudtrail_elasticsearch.core.coverage.ledger import Ledger, VerifiedCell
from cloudtrail_elasticsearch.core.coverage.lookup_batches import LookupBatch
from cloudtrail_elasticsearch.core.coverage.windows import Window, midnight
from cloudtrail_elasticsearch.core.documents.events import LookedUpEvent
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.errors import (
    ConfigurationError,
    CoverageError,
    CredentialsError,
    PlanError,
    RulesError,
    StagingError,
    TransientError,
)
from cloudtrail_elasticsearch.core.search.sender import LoadSettings
from cloudtrail_elasticsearch.operators.cloudtrail_to_s3 import CloudTrailToS3Operator
from cloudtrail_elasticsearch.operators.coverage import CloudTrailCoverageOperator
from cloudtrail_elasticsearch.operators.plan import CloudTrailPlanOperator
from cloudtrail_elasticsearch.operators.s3_to_elasticsearch import S3ToElasticsearchOperator
from cloudtrail_elasticsearch.operators.shard_advice import log_shard_advice
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from cloudtrail_elasticsearch.staging import Staging
from cloudtrail_elasticsearch.staging.parts import pack_events
from devstack.days import last_settled_day
from devstack.simulator import DEFAULT_ACCOUNT, REGIONS
from tests.airflow.conftest import Services
from tests.cells import cell, staged_at

LAST = last_settled_day()
END = LAST + timedelta(days=1)
CONTEXT: Any = {}
WINDOW = Window(DEFAULT_ACCOUNT, "us-east-1", midnight(LAST), midnight(END)).to_dict()


def in_region(region: str) -> dict[str, str]:
    return Window.from_dict(WINDOW | {"region": region}).to_dict()


def plan_batches(**arguments: Any) -> list[dict[str, Any]]:
    return CloudTrailPlanOperator(task_id="plan", search_conn_id=None, **arguments).execute(CONTEXT)


def planned(**arguments: Any) -> list[Window]:
    batches = map(LookupBatch.from_dict, plan_batches(**arguments))
    return [each.window for batch in batches for each in batch.windows]


@pytest.mark.usefixtures("services")
def test_the_plan_has_every_enabled_region_and_day() -> None:
    """Regions come from EC2, the account from STS."""
    windows = planned(start=str(LAST - timedelta(days=1)), end=str(END))
    assert len(windows) == len(REGIONS) * 2
    assert {window.region for window in windows} == set(REGIONS)
    assert {window.account for window in windows} == {DEFAULT_ACCOUNT}


@pytest.mark.usefixtures("services")
def test_without_days_the_plan_is_the_data_interval() -> None:
    """A run without an interval plans yesterday. One end alone means one day."""
    start = midnight(LAST) - timedelta(days=5)
    context: Any = {"data_interval_start": start, "data_interval_end": start + timedelta(days=1)}
    operator = CloudTrailPlanOperator(task_id="plan", regions="us-east-1", search_conn_id=None)
    assert [batch["start"] for batch in operator.execute(context)] == [start.isoformat()]
    asked = datetime.now(UTC)
    (window,) = planned(regions="us-east-1", settle_minutes=0)
    # Midnight can pass while the plan is made.
    days = {midnight(now.date() - timedelta(days=1)) for now in (asked, datetime.now(UTC))}
    assert window.start in days
    last = midnight(LAST)
    assert [window.start for window in planned(regions="us-east-1", end=str(END))] == [last]
    assert [window.start for window in planned(regions=["us-east-1"], start=str(LAST))] == [last]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"regions": "mars-north-1", "start": str(LAST)}, "Not an enabled region of this account: mars-north-1"),
        ({"start": str(LAST - timedelta(days=99))}, "more than 90 days ago"),
        ({"start": str(LAST - timedelta(days=1)), "end": str(LAST - timedelta(days=2))}, "must be after start"),
        ({"start": str(LAST + timedelta(days=2))}, "in the future"),
        ({"start": str(END - timedelta(days=70)), "end": str(END)}, r"1120 tasks.*max_map_length = 1024"),
        ({"start": "20.11.2026"}, "not a day"),
    ],
)
@pytest.mark.usefixtures("services")
def test_an_impossible_plan_is_reported_in_one_sentence(arguments: dict[str, Any], words: str) -> None:
    """With the reason and the remedy."""
    with pytest.raises(PlanError, match=words):
        planned(**arguments)


@pytest.mark.usefixtures("services")
def test_missing_credentials_are_reported_in_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the places where credentials can be set."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", '{"conn_type": "aws", "extra": {"region_name": "us-east-1"}}')
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(CredentialsError, match=r"no AWS credentials were found.*connection of type aws"):
        planned(regions="us-east-1", start=str(LAST))


def fetch(services: Services, **others: Any) -> dict[str, Any]:
    arguments = {"batch": WINDOW, "bucket": services.bucket} | others
    return CloudTrailToS3Operator(task_id="fetch", **arguments).execute(CONTEXT)


def load_batch(services: Services, context: Any = CONTEXT, **others: Any) -> dict[str, Any]:
    arguments = {"batch": WINDOW, "bucket": services.bucket, "index": services.index} | others
    return S3ToElasticsearchOperator(task_id="load", **arguments).execute(context)


def load(services: Services, **others: Any) -> dict[str, Any]:
    """Load a batch of one window, and return its cell."""
    window = Window.from_dict(others.get("batch", WINDOW))
    (found,) = unpack_cells(load_batch(services, **others), [window])
    return found.cell.to_dict()


@pytest.fixture
def rules_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the deployment allows rules and fields files."""
    folder = tmp_path / "rules"
    folder.mkdir()
    monkeypatch.setenv("AIRFLOW__CLOUDTRAIL__RULES_FOLDER", str(folder))
    return folder


def test_a_bucket_is_needed(services: Services) -> None:
    """Without a bucket, or with a missing one, the error explains how to set it."""
    with pytest.raises(ConfigurationError, match="set the Airflow variable cloudtrail_staging_bucket"):
        fetch(services, bucket="")
    with pytest.raises(ConfigurationError, match=r"the bucket.*does not exist"):
        fetch(services, bucket="no-such-bucket")


def test_a_window_must_be_staged_before_it_is_loaded(services: Services) -> None:
    """The error of the load names the task to run first."""
    with pytest.raises(StagingError, match=r"is not staged in s3://.*fetch"):
        load(services)


def test_a_load_with_a_wrong_setting_sends_nothing(services: Services, rules_folder: Path) -> None:
    """A mistake in the rules file, the mapping or the index pattern stops it before the first request."""
    fetch(services)
    rules = rules_folder / "rules.yaml"
    rules.write_text("rules: [{name: mine}]")
    with pytest.raises(RulesError, match=r"rules\.yaml has a mistake in rule 'mine'"):
        load(services, rules_file=str(rules))
    with pytest.raises(ConfigurationError, match="mapping is 'best'"):
        load(services, mapping="best")
    with pytest.raises(ConfigurationError, match="index pattern"):
        load(services, index="Upper")


SECRET = "root:Tr0ub4dor3SECRET"


@pytest.mark.promise("closed")
@pytest.mark.parametrize("argument", ["rules_file", "fields_file"])
@pytest.mark.parametrize("by_variable", [True, False])
def test_only_files_of_the_rules_folder_are_read(
    services: Services,
    rules_folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    argument: str,
    by_variable: bool,
) -> None:
    """People who can set a variable or an argument cannot make the loader read or quote another file."""
    fetch(services)
    outside, inside = rules_folder.parent / "outside", rules_folder / "inside"
    for file in (outside, inside):
        file.write_text(f"{SECRET}\n")
    (rules_folder / "link").symlink_to(outside)
    words = f"variable cloudtrail_{argument}" if by_variable else f"operator's {argument}"
    for name in (str(outside), "../outside", "link", "/etc/passwd", "/dev/zero", str(outside) + "-that-is-not"):
        with pytest.raises(RulesError, match=f"{words} is .* not below the folder {rules_folder}"):
            _load_with(services, monkeypatch, argument, name, by_variable)
    with pytest.raises(RulesError, match="has a mistake") as raised:
        _load_with(services, monkeypatch, argument, "inside", by_variable)
    assert "SECRET" not in f"{raised.value} {raised.value.__cause__} {raised.value.__context__} {caplog.text}"


def _load_with(
    services: Services, monkeypatch: pytest.MonkeyPatch, argument: str, name: str, by_variable: bool
) -> None:
    if by_variable:
        monkeypatch.setenv(f"AIRFLOW_VAR_CLOUDTRAIL_{argument.upper()}", name)
        load(services)
    else:
        load(services, **{argument: name})


def test_files_of_the_folder_are_used(services: Services, rules_folder: Path) -> None:
    """By their names in it, and by their full paths."""
    fetch(services)
    (rules_folder / "rules.yaml").write_text("rules: []")
    (rules_folder / "fields.txt").write_text("requestParameters.mine\n")
    load(services, rules_file="rules.yaml", fields_file=str(rules_folder / "fields.txt"))


def test_an_unreachable_search_server_is_transient(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """The task is retried, and the error does not contain the password."""
    fetch(services)
    monkeypatch.setenv(
        "AIRFLOW_CONN_ELASTICSEARCH_DEFAULT",
        '{"conn_type": "opensearch", "host": "127.0.0.1", "port": 9, "login": "u", "password": "secret"}',
    )
    monkeypatch.setattr(
        "cloudtrail_elasticsearch.core.loading.loader.LoadSettings", partial(LoadSettings, patience=2.0)
    )
    with pytest.raises(TransientError, match=r"127\.0\.0\.1:9 cannot be reached") as told:
        load(services)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize("damage", ["cut short", "tampered with", "missing"])
def test_a_damaged_part_is_rejected_and_force_replaces_it(services: Services, damage: str) -> None:
    """None of its events is loaded. Fetched again with force, the window has every event."""
    fetch(services)
    s3 = boto3.client("s3")
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=services.bucket)["Contents"]]
    part = next(key for key in keys if "part-" in key)
    body = s3.get_object(Bucket=services.bucket, Key=part)["Body"].read()
    s3.delete_object(Bucket=services.bucket, Key=part)
    if damage != "missing":
        changed = body[:-20] if damage == "cut short" else body[:-20] + bytes(20)
        s3.put_object(Bucket=services.bucket, Key=part, Body=changed)
    with pytest.raises(StagingError, match=f"{part} does not match its manifest.*force"):
        load(services)
    fetch(services, force="True")
    cell = load(services)
    assert cell["looked_up"] == cell["staged"] == cell["indexed"] > 100


@pytest.mark.promise("restartable")
def test_finished_work_is_not_repeated_without_force(services: Services, sent: list[str]) -> None:
    """No LookupEvents call, and no event is sent. With force both, but the server keeps its documents."""
    calls = services.simulator.service.statistics.regions
    server = connect(SearchSettings.from_url(services.search_url))

    def effort() -> tuple[int, int, int]:
        compared = sum(each.startswith("POST /_mget") for each in sent)
        stats = server.request("GET", f"/{services.index}/_stats/indexing")["_all"]["primaries"]["indexing"]
        return calls["us-east-1"].calls, compared, stats["index_total"]

    fetch(services)
    first = load(services)
    done = effort()
    fetch(services)
    assert load(services) == first
    assert effort() == done
    fetch(services, force=True)
    assert load(services, force=True) == first
    looked_up, compared, written = effort()
    assert looked_up == done[0] + (first["looked_up"] + 49) // 50
    assert compared > done[1] == 0
    assert written == done[2]


@pytest.mark.promise("nothing-lost")
def test_documents_that_the_server_lost_are_loaded_again(services: Services) -> None:
    """A loaded cell is not complete if the server has lost a document of it."""
    fetch(services)
    first = load(services)
    server = connect(SearchSettings.from_url(services.search_url))
    body = b'{"query": {"match_all": {}}, "size": 1}'
    (hit,) = server.request("POST", f"/{services.index}/_search", body)["hits"]["hits"]
    server.request("DELETE", f"/{services.index}/_doc/{hit['_id']}")
    assert load(services) == first


def test_coverage_without_a_plan_fails() -> None:
    """A run without a plan has covered nothing."""
    with pytest.raises(CoverageError, match="returned no plan"):
        CloudTrailCoverageOperator(task_id="coverage", planned=None, cells=None).execute(CONTEXT)


@pytest.mark.promise("nothing-lost")
@pytest.mark.parametrize("nothing", [None, object()], ids=["None", "Airflow 3.0's object"])
def test_coverage_names_each_cell_that_does_not_add_up(nothing: object) -> None:
    """A missing cell, and one with fewer documents on the server than staged events."""
    cells = [loaded(cell(Window.from_dict(WINDOW), 5, 4)), nothing]
    operator = CloudTrailCoverageOperator(
        task_id="coverage", planned=[WINDOW, in_region("eu-west-1")], cells=cells, search_conn_id=None
    )
    with pytest.raises(CoverageError, match="2 of 2 cells") as told:
        operator.execute(CONTEXT)
    assert f"{DEFAULT_ACCOUNT} eu-west-1 {LAST}: It was not loaded" in str(told.value)
    assert "5 events are staged but the server holds 4" in str(told.value)


def test_coverage_accepts_the_result_of_a_single_cell() -> None:
    """Airflow returns the result of a single mapped task without a list."""
    figures = {"looked_up": 5, "staged": 5, "duplicates": 0, "indexed": 5, "quarantined": 0}
    row = loaded(cell(Window.from_dict(WINDOW), 5, 5))
    operator = CloudTrailCoverageOperator(task_id="c", planned=[WINDOW], cells=row, search_conn_id=None)
    more = {"late": 0, "own": 0, "left_out": 0}
    assert operator.execute(CONTEXT) == {"cells": 1, "missing": 0, **figures, **more}


def loaded(found: Cell) -> dict[str, Any]:
    """Return the result of a load task of one window."""
    window = found.window
    verified = VerifiedCell(found, staged_at(window.start, None, None), None, window.end)
    return LookupBatch.from_dict(window.to_dict()).identity | pack_cells({0: verified}, None)


def ledger(services: Services) -> list[dict[str, Any]]:
    server = connect(SearchSettings.from_url(services.search_url))
    return list(Ledger(server, services.index).read_cells())


def test_a_missing_cell_is_in_the_ledger(services: Services) -> None:
    """Beside the loaded ones, with the reason."""
    fetch(services)
    operator = CloudTrailCoverageOperator(
        task_id="coverage",
        planned=[WINDOW, in_region("eu-west-1")],
        cells=[load_batch(services)],
        index=services.index,
    )
    with pytest.raises(CoverageError, match="1 of 2 cells"):
        operator.execute(CONTEXT)
    states = {cell["region"]: cell["state"] for cell in ledger(services)}
    assert states == {"us-east-1": "complete", "eu-west-1": "missing"}
    (missing,) = (cell for cell in ledger(services) if cell["state"] == "missing")
    assert "see the log of its task" in missing["problem"]


def test_a_missing_cell_names_the_failed_task(services: Services) -> None:
    """The fetch at its index in the plan, or its load if that has worked on the window; and the reason."""
    names = {"dag_id": "dag", "run_id": "run"}
    context: Any = {"ti": SimpleNamespace(**names, task_id="coverage", map_index=None, try_number=1)}
    regions = ["us-east-1", "eu-west-1", "eu-west-2"]
    batches = [in_region(region) for region in regions]
    row: dict[str, Any] = {"run": None, "cells": [], "unstaged": []}
    rows = [
        row | LookupBatch.from_dict(batch).identity | {"failures": [{"reason": f"why {number}", "windows": [0]}]}
        for number, batch in enumerate(batches[:2])
    ]
    rows[1]["unstaged"] = [0]
    operator = CloudTrailCoverageOperator(
        task_id="coverage", planned=batches, cells=[*rows, None], index=services.index
    )
    with pytest.raises(CoverageError, match="3 of 3 cells"):
        operator.execute(context)
    found = {cell["region"]: (cell["state"], cell["problem"], cell["run"]) for cell in ledger(services)}
    assert found == {
        "us-east-1": ("missing", "Why 0", names | {"task_id": "cell.load", "map_index": 0}),
        "eu-west-1": ("missing", "Why 1", names | {"task_id": "cell.fetch", "map_index": 1}),
        "eu-west-2": (
            "missing",
            "It was not loaded; see the log of its task.",
            names | {"task_id": "cell.fetch", "map_index": 2},
        ),
    }


@pytest.mark.promise("nothing-lost")
def test_the_result_of_a_map_index_that_was_removed_does_not_count() -> None:
    """A run that is repeated can have fewer batches, and Airflow passes the results of the old ones, too."""
    window = Window.from_dict(WINDOW)
    batches = [in_region("eu-west-1"), WINDOW]
    own = loaded(cell(window, 5, 5)) | {"run": run_at(1)}
    other = loaded(cell(replace(window, region="eu-west-1"), 2, 2)) | {"run": run_at(0)}
    failure = {"failures": [{"reason": "denied", "windows": [0]}], "unstaged": [0], "cells": []}
    old = LookupBatch.from_dict(WINDOW).identity | failure | {"run": run_at(2)}
    for rows in ([other, own, old], [old, other, own]):
        operator = CloudTrailCoverageOperator(task_id="c", planned=batches, cells=rows, search_conn_id=None)
        assert operator.execute(CONTEXT)["indexed"] == 7
    operator = CloudTrailCoverageOperator(task_id="c", planned=batches, cells=[other, old], search_conn_id=None)
    with pytest.raises(CoverageError, match="1 of 2 cells"):
        operator.execute(CONTEXT)


def run_at(map_index: int) -> dict[str, Any]:
    return {"dag_id": "d", "run_id": "r", "task_id": "cell.load", "map_index": map_index, "attempt": 1}


def test_the_ledger_has_the_figures_and_the_task_of_a_cell(services: Services) -> None:
    """The counts of looked-up, staged and found events, the time, and the task with the log."""
    task = SimpleNamespace(dag_id="dag", run_id="run", task_id="cell.load", map_index=3, try_number=2)
    context: Any = {"ti": task}
    fetch(services)
    (found,) = unpack_cells(load_batch(services, context), [Window.from_dict(WINDOW)])
    figures = found.cell.to_dict()
    (cell,) = ledger(services)
    assert {name: cell[name] for name in ("looked_up", "staged", "indexed", "duplicates", "quarantined")} == {
        name: figures[name] for name in ("looked_up", "staged", "indexed", "duplicates", "quarantined")
    }
    assert (cell["account"], cell["region"], cell["day"]) == (DEFAULT_ACCOUNT, "us-east-1", WINDOW["start"][:10])
    assert (cell["state"], cell["problem"], cell["attempts"]) == ("complete", None, {"fetch": 1, "load": 2})
    assert cell["run"] == {"dag_id": "dag", "run_id": "run", "task_id": "cell.load", "map_index": 3}
    assert WINDOW["start"] <= cell["first_event"] <= cell["last_event"] < WINDOW["end"]
    assert cell["staged_at"] <= cell["verified_at"] <= cell["updated_at"]
    assert cell["calls"] >= figures["looked_up"] / 50


def test_a_quiet_cell_is_in_the_ledger(services: Services) -> None:
    """It has no event and no index, and is covered: its load sends no request, the coverage task writes it."""
    start, end = (datetime.fromisoformat(WINDOW[name]) for name in ("start", "end"))
    region = next(region for region in REGIONS if not services.simulator.truth(region, start, end))
    window = in_region(region)
    fetch(services, batch=window)
    row = load_batch(services, batch=window)
    assert not ledger(services)
    CloudTrailCoverageOperator(
        task_id="coverage", planned=[window], cells=[json.loads(json.dumps(row))], index=services.index
    ).execute(CONTEXT)
    (cell,) = ledger(services)
    assert (cell["state"], cell["staged"], cell["first_event"]) == ("quiet", 0, None)
    assert (cell["calls"], cell["attempts"]["fetch"]) == (1, 1)
    assert cell["staged_at"] <= cell["verified_at"] <= cell["updated_at"]


def test_a_past_range_is_verified_without_fetching_or_loading(services: Services) -> None:
    """Stored documents are verified again, lost ones are reported, and nothing is loaded."""
    fetch(services)
    first = load(services)
    calls = services.simulator.service.statistics.regions["us-east-1"].calls
    server = connect(SearchSettings.from_url(services.search_url))
    fetch(services, look_up="False")
    assert load(services, verify="True") == first
    body = b'{"query": {"match_all": {}}, "size": 1}'
    (hit,) = server.request("POST", f"/{services.index}/_search", body)["hits"]["hits"]
    server.request("DELETE", f"/{services.index}/_doc/{hit['_id']}?refresh=true")
    found = load(services, verify="True")
    assert found["indexed"] == first["indexed"] - 1
    assert services.simulator.service.statistics.regions["us-east-1"].calls == calls
    (cell,) = ledger(services)
    assert cell["state"] == "failed"
    assert "the server holds" in cell["problem"]
    with pytest.raises(StagingError, match="is not staged"):
        load(services, verify="True", batch=in_region("eu-west-1"))


@pytest.mark.usefixtures("services")
def test_days_beyond_the_history_can_be_verified_or_replayed() -> None:
    """LookupEvents no longer has their events, but neither mode looks them up."""
    old = str(LAST - timedelta(days=200))
    assert planned(start=old, regions="us-east-1", look_up="False")[0].start.date().isoformat() == old


@pytest.mark.usefixtures("services")
def test_the_plan_waits_until_a_day_is_settled() -> None:
    """It resumes when the settle delay is over, and then plans."""
    from airflow.exceptions import AirflowRescheduleException

    now = datetime.now(UTC)
    today = midnight(now.date())
    minutes = (now - today) // timedelta(minutes=1)
    with pytest.raises(AirflowRescheduleException) as raised:
        planned(regions="us-east-1", end=str(today.date()), settle_minutes=str(minutes + 10))
    assert raised.value.reschedule_date == today + timedelta(minutes=minutes + 10)
    assert planned(regions="us-east-1", end=str(today.date()), settle_minutes=str(minutes))
    with pytest.raises(PlanError, match="not a whole number"):
        planned(regions="us-east-1", settle_minutes="soon")


def test_the_loaders_own_events_are_marked_or_left_out_and_counted(services: Services) -> None:
    """A day of the account includes our own calls. A param decides how they are handled."""
    fetch(services)
    staging = Staging(boto3.client("s3"), services.bucket)
    window = Window.from_dict(WINDOW)
    standing = staging.standing(window)
    assert standing.manifest is not None
    packed = pack_events([own_event(number) for number in range(3)], window.start)
    part = staging.write_part(window, "own", "own", packed)
    manifest = standing.manifest
    count = manifest.looked_up + 3
    staging.publish(replace(manifest, looked_up=count, parts=(*manifest.parts, part)), standing)

    server = connect(SearchSettings.from_url(services.search_url))
    figures = {}
    tagged = {}
    for choice in ("keep", "mark", "leave-out"):
        index = f"{services.index}-{choice}"
        cell = load(services, index=index, own_events=choice)
        figures[choice] = cell["looked_up"], cell["indexed"], cell["own"], cell["left_out"]
        query = b'{"query": {"term": {"tags": {"value": "cloudtrail-elasticsearch"}}}}'
        tagged[choice] = server.request("POST", f"/{index}/_search", query)["hits"]["total"]["value"]
    assert figures == {
        "keep": (count, count, 3, 0),
        "mark": (count, count, 3, 0),
        "leave-out": (count, count - 3, 3, 3),
    }
    assert tagged == {"keep": 0, "mark": 3, "leave-out": 0}
    with pytest.raises(ConfigurationError, match="own_events is 'hide'"):
        load(services, own_events="hide")


def own_event(number: int) -> LookedUpEvent:
    identifier = f"00000000-0000-4000-8000-{number:012d}"
    time = WINDOW["start"].replace("+00:00", "Z")
    record = {
        "eventID": identifier,
        "eventTime": time,
        "eventSource": "cloudtrail.amazonaws.com",
        "eventName": "LookupEvents",
        "userAgent": "Boto3/1.44.5 cloudtrail-elasticsearch/0.1.0",
    }
    line = {"lookup": {"EventId": identifier, "EventTime": time}, "event": record}
    return LookedUpEvent(identifier, datetime.fromisoformat(WINDOW["start"]), codec.encode(line))


def heads(services: Services) -> list[dict[str, Any]]:
    """Return S3's metadata of every object in the bucket."""
    s3 = boto3.client("s3")
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=services.bucket)["Contents"]]
    return [s3.head_object(Bucket=services.bucket, Key=key) for key in keys]


@pytest.mark.parametrize(
    ("encryption", "words"), [("DES", "choose AES256 or aws:kms"), ("AES256", None), ("aws:kms", None)]
)
def test_staged_objects_are_encrypted_as_set(services: Services, encryption: str, words: str | None) -> None:
    """With S3's own keys or with KMS. Another value is rejected before the first write."""
    if words:
        with pytest.raises(ConfigurationError, match=words):
            fetch(services, encryption=encryption)
        return
    fetch(services, encryption=encryption)
    assert {head["ServerSideEncryption"] for head in heads(services)} == {encryption}


@pytest.mark.parametrize("given", [None, ""])
def test_airflow_variables_are_the_defaults_of_arguments(
    services: Services, monkeypatch: pytest.MonkeyPatch, given: str | None
) -> None:
    """A given argument overrides the variable, also with an empty value."""
    for name, value in (("ENCRYPTION", "aws:kms"), ("KMS_KEY", "alias/trail")):
        monkeypatch.setenv(f"AIRFLOW_VAR_CLOUDTRAIL_STAGING_{name}", value)
    monkeypatch.setenv("AIRFLOW__CLOUDTRAIL__RULES_FOLDER", "/nowhere")
    for name in ("RULES_FILE", "FIELDS_FILE"):
        monkeypatch.setenv(f"AIRFLOW_VAR_CLOUDTRAIL_{name}", f"/nowhere/{name}")
    fetch(services, encryption=given, kms_key=given)
    assert {head.get("SSEKMSKeyId") for head in heads(services)} == {"alias/trail" if given is None else None}
    for one, other in (("rules_file", "fields_file"), ("fields_file", "rules_file")):
        with pytest.raises(RulesError, match=f"/nowhere/{one.upper()}"):
            load(services, **{one: None, other: "", "encryption": given, "kms_key": given})
    if given is not None:
        load(services, rules_file=given, fields_file=given, encryption=given, kms_key=given)


def test_permanent_errors_are_not_retried() -> None:
    """The retry policy fails configuration, staging and coverage errors at once."""
    policy = CloudTrailPlanOperator(task_id="plan").retry_policy
    assert policy is not None
    final = [PlanError("x"), CredentialsError("x"), StagingError("x"), CoverageError("x")]
    assert all(policy.evaluate(error, 1, 5).action.value == "fail" for error in final)
    assert policy.evaluate(TransientError("x"), 1, 5).action.value != "fail"
    assert policy.evaluate(RuntimeError("x"), 1, 5).action.value != "fail"


def test_a_missing_connection_stops_no_plan(caplog: pytest.LogCaptureFixture) -> None:
    """The advice on shards is left out; the tasks that need the connection report it."""
    with caplog.at_level("INFO"):
        log_shard_advice("no_such_connection", "cloudtrail-%Y.%m", date(2026, 11, 1))
    assert "there is no advice on shards" in caplog.text
