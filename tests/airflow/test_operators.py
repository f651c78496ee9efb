"""The operators one by one: what they plan, and the sentence for whatever is asked of them that cannot be."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import boto3
import pytest

from cloudtrail_elasticsearch.core.errors import (
    ConfigurationError,
    CoverageError,
    CredentialsError,
    PlanError,
    RulesError,
    StagingError,
    TransientError,
)
from cloudtrail_elasticsearch.operators.cloudtrail_to_s3 import CloudTrailToS3Operator
from cloudtrail_elasticsearch.operators.coverage import CloudTrailCoverageOperator
from cloudtrail_elasticsearch.operators.plan import CloudTrailPlanOperator
from cloudtrail_elasticsearch.operators.s3_to_elasticsearch import S3ToElasticsearchOperator
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.simulator import DEFAULT_ACCOUNT, REGIONS
from tests.airflow.conftest import Services

TODAY = datetime.now(UTC).date()
CONTEXT: Any = {}
WINDOW = {
    "account": DEFAULT_ACCOUNT,
    "region": "us-east-1",
    "start": f"{TODAY - timedelta(days=1)}T00:00:00+00:00",
    "end": f"{TODAY}T00:00:00+00:00",
}


def planned(**arguments: Any) -> list[dict[str, str]]:
    return CloudTrailPlanOperator(task_id="plan", **arguments).execute(CONTEXT)


@pytest.mark.usefixtures("services")
def test_the_plan_has_every_enabled_region_and_day() -> None:
    """Regions come from EC2, the account from STS."""
    windows = planned(start=str(TODAY - timedelta(days=2)), end=str(TODAY))
    assert len(windows) == len(REGIONS) * 2
    assert {window["region"] for window in windows} == set(REGIONS)
    assert {window["account"] for window in windows} == {DEFAULT_ACCOUNT}


@pytest.mark.usefixtures("services")
def test_without_days_the_plan_is_the_data_interval() -> None:
    """And yesterday, where a run has none; one end alone means one day."""
    start = datetime(TODAY.year, TODAY.month, TODAY.day, tzinfo=UTC) - timedelta(days=5)
    context: Any = {"data_interval_start": start, "data_interval_end": start + timedelta(days=1)}
    operator = CloudTrailPlanOperator(task_id="plan", regions="us-east-1")
    assert [window["start"] for window in operator.execute(context)] == [start.isoformat()]
    yesterday = f"{TODAY - timedelta(days=1)}T00:00:00+00:00"
    assert [window["start"] for window in planned(regions="us-east-1")] == [yesterday]
    assert [window["start"] for window in planned(regions="us-east-1", end=str(TODAY))] == [yesterday]
    assert [window["start"] for window in planned(regions=["us-east-1"], start=yesterday[:10])] == [yesterday]


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"regions": "mars-north-1"}, "Not an enabled region of this account: mars-north-1"),
        ({"start": str(TODAY - timedelta(days=100))}, "more than 90 days ago"),
        ({"start": str(TODAY - timedelta(days=2)), "end": str(TODAY - timedelta(days=3))}, "must be after start"),
        ({"start": str(TODAY)}, "in the future"),
        ({"start": str(TODAY - timedelta(days=70)), "end": str(TODAY)}, r"1190 cells.*max_map_length = 1024"),
        ({"start": "20.11.2026"}, "not a day"),
    ],
)
@pytest.mark.usefixtures("services")
def test_a_plan_that_cannot_be_is_one_sentence(arguments: dict[str, Any], words: str) -> None:
    """It says what is wrong and what to do."""
    with pytest.raises(PlanError, match=words):
        planned(**arguments)


@pytest.mark.usefixtures("services")
def test_no_credentials_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    """It says where credentials can be given."""
    monkeypatch.setenv("AIRFLOW_CONN_AWS_DEFAULT", '{"conn_type": "aws", "extra": {"region_name": "us-east-1"}}')
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(name, raising=False)
    with pytest.raises(CredentialsError, match=r"there are no AWS credentials.*connection of type aws"):
        planned(regions="us-east-1")


def fetch(services: Services, **others: Any) -> str:
    arguments = {"window": WINDOW, "bucket": services.bucket} | others
    return CloudTrailToS3Operator(task_id="fetch", **arguments).execute(CONTEXT)


def load(services: Services, **others: Any) -> dict[str, Any]:
    arguments = {"window": WINDOW, "bucket": services.bucket, "index": services.index} | others
    return S3ToElasticsearchOperator(task_id="load", **arguments).execute(CONTEXT)


def test_a_bucket_is_needed(services: Services) -> None:
    """Without one, and with one that does not exist: the sentence says how to set it."""
    with pytest.raises(ConfigurationError, match="set the Airflow variable cloudtrail_staging_bucket"):
        fetch(services, bucket="")
    with pytest.raises(ConfigurationError, match=r"the bucket.*does not exist"):
        fetch(services, bucket="no-such-bucket")


def test_a_window_must_be_staged_before_it_is_loaded(services: Services) -> None:
    """The load says which task to run first."""
    with pytest.raises(StagingError, match=r"is not staged in s3://.*fetch"):
        load(services)


def test_a_load_needs_what_it_is_told_to_use(services: Services, tmp_path: Any) -> None:
    """A mistake in the rules file, the mapping or the index pattern stops it before anything is sent."""
    fetch(services)
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: [{name: mine}]")
    with pytest.raises(RulesError, match=r"rules\.yaml has a mistake in rule 'mine'"):
        load(services, rules_file=str(rules))
    with pytest.raises(ConfigurationError, match="mapping is 'best'"):
        load(services, mapping="best")
    with pytest.raises(ConfigurationError, match="index pattern"):
        load(services, index="Upper")


def test_an_unreachable_search_server_passes(services: Services, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is worth another attempt, and the password is not told."""
    fetch(services)
    monkeypatch.setenv(
        "AIRFLOW_CONN_ELASTICSEARCH_DEFAULT",
        '{"conn_type": "opensearch", "host": "127.0.0.1", "port": 9, "login": "u", "password": "secret"}',
    )
    with pytest.raises(TransientError, match=r"127\.0\.0\.1:9 cannot be reached") as told:
        load(services)
    assert "secret" not in str(told.value)


@pytest.mark.parametrize("damage", ["cut short", "tampered with", "missing"])
def test_a_damaged_part_is_refused_and_force_mends_it(services: Services, damage: str) -> None:
    """Nothing of it is loaded; fetched again with force, the window has every event."""
    fetch(services)
    s3 = boto3.client("s3")
    keys = [entry["Key"] for entry in s3.list_objects_v2(Bucket=services.bucket)["Contents"]]
    part = next(key for key in keys if "part-" in key)
    body = s3.get_object(Bucket=services.bucket, Key=part)["Body"].read()
    s3.delete_object(Bucket=services.bucket, Key=part)
    if damage != "missing":
        changed = body[:-20] if damage == "cut short" else body[:-20] + bytes(20)
        s3.put_object(Bucket=services.bucket, Key=part, Body=changed)
    with pytest.raises(StagingError, match=f"{part} is not what its manifest says.*force"):
        load(services)
    fetch(services, force="True")
    cell = load(services)
    assert cell["looked_up"] == cell["staged"] == cell["indexed"] > 100


def test_work_that_is_done_is_not_done_again_without_force(services: Services) -> None:
    """No LookupEvents call and no bulk request; with force both, and the same documents in the end."""
    calls = services.simulator.service.statistics.regions
    server = connect(SearchSettings.from_url(services.search_url))

    def effort() -> tuple[int, int]:
        stats = server.request("GET", f"/{services.index}/_stats/indexing")["_all"]["primaries"]["indexing"]
        return calls["us-east-1"].calls, stats["index_total"]

    fetch(services)
    first = load(services)
    done = effort()
    fetch(services)
    assert load(services) == first
    assert effort() == done
    fetch(services, force=True)
    assert load(services, force=True) == first
    assert effort() == (done[0] + (first["looked_up"] + 49) // 50, done[1] + first["indexed"])


def test_what_the_server_lost_is_loaded_again(services: Services) -> None:
    """A cell that was loaded once is not taken for complete when the server has lost a document."""
    fetch(services)
    first = load(services)
    server = connect(SearchSettings.from_url(services.search_url))
    body = b'{"query": {"match_all": {}}, "size": 1}'
    (hit,) = server.request("POST", f"/{services.index}/_search", body)["hits"]["hits"]
    server.request("DELETE", f"/{services.index}/_doc/{hit['_id']}")
    assert load(services) == first


def test_coverage_without_a_plan_fails() -> None:
    """A run that planned nothing has covered nothing."""
    with pytest.raises(CoverageError, match="Nothing was planned"):
        CloudTrailCoverageOperator(task_id="coverage", planned=None, cells=None).execute(CONTEXT)


def test_coverage_names_each_cell_that_does_not_add_up() -> None:
    """A cell that is missing, and one of which the server holds less than is staged."""
    other = WINDOW | {"region": "eu-west-1"}
    figures = {"looked_up": 5, "staged": 5, "duplicates": 0, "indexed": 4, "quarantined": 0}
    operator = CloudTrailCoverageOperator(
        task_id="coverage", planned=[WINDOW, other], cells=[{"window": WINDOW, **figures}, None]
    )
    with pytest.raises(CoverageError, match="2 of 2 cells") as told:
        operator.execute(CONTEXT)
    assert f"eu-west-1 {TODAY - timedelta(days=1)}: was not loaded" in str(told.value)
    assert "5 events are staged but the server holds 4" in str(told.value)


def test_coverage_takes_one_cell_as_airflow_gives_it() -> None:
    """The result of a single mapped task comes bare, not in a list."""
    figures = {"looked_up": 5, "staged": 5, "duplicates": 0, "indexed": 5, "quarantined": 0}
    operator = CloudTrailCoverageOperator(task_id="c", planned=[WINDOW], cells={"window": WINDOW, **figures})
    assert operator.execute(CONTEXT) == {"cells": 1, "missing": 0, **figures}


def test_what_cannot_be_mended_is_not_tried_again() -> None:
    """The retry policy fails configuration, staging and coverage errors at once."""
    policy = CloudTrailPlanOperator(task_id="plan").retry_policy
    assert policy is not None
    final = [PlanError("x"), CredentialsError("x"), StagingError("x"), CoverageError("x")]
    assert all(policy.evaluate(error, 1, 5).action.value == "fail" for error in final)
    assert policy.evaluate(TransientError("x"), 1, 5).action.value != "fail"
    assert policy.evaluate(RuntimeError("x"), 1, 5).action.value != "fail"
