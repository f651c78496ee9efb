"""The plan checks all params of a run before anything is looked up."""

from __future__ import annotations

from typing import Any

import pytest

from cloudtrail_elasticsearch.core.errors import ConfigurationError, MappingError, PlanError
from cloudtrail_elasticsearch.core.index.index_pattern import OWN_INDICES
from cloudtrail_elasticsearch.operators.coverage import CloudTrailCoverageOperator
from cloudtrail_elasticsearch.operators.s3_to_elasticsearch import S3ToElasticsearchOperator
from cloudtrail_elasticsearch.params import LATE_PARAMS, PARAMS
from cloudtrail_elasticsearch.run_params import check_params
from tests.airflow.conftest import Services
from tests.airflow.test_dag import calls, conf, run, states

BAD_INDICES = [
    *OWN_INDICES,
    "cloudtrail-%H",
    "Cloudtrail-%Y",
    "cloud trail",
    "cloudtrail-\n%Y",
    "cloudtrail-\x00",
    "cloudtrail..%Y",
    "_cloudtrail",
    "cloudtrail-*",
    "cloudtrail-ä",
    "x" * 256,
    "",
]


def test_the_default_params_are_valid() -> None:
    """Alone, and with a conf that repeats them as the form does."""
    for declared in (PARAMS, LATE_PARAMS):
        defaults = {name: schema["default"] for name, schema in declared.items()}
        check_params(declared, defaults, {})
        check_params(declared, defaults, defaults | {"openlineage": {}})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"begin": "2026-11-20"}, r"has 'begin', which is not a param of this DAG\. Did you mean start\?"),
        ({"strat": "2026-11-20"}, r"has 'strat', which .* Did you mean start\?"),
        ({"region": ["eu-west-1"]}, r"Did you mean regions\?"),
        ({"Force": True}, r"Did you mean force\?"),
        ({"settle-minutes": 5}, r"Did you mean settle_minutes\?"),
        ({"xyzzy": 1}, r"not a param of this DAG\. The params are start, end, accounts, categories, regions"),
        ({"regions": "us-east-1"}, r'regions is \'us-east-1\'; it must be a list such as \["ap-northeast-1"\]'),
        ({"regions": ["mars"]}, "regions is"),
        ({"start": "soon"}, "start is 'soon'; it must be a day such as 2026-11-20, or empty"),
        ({"end": "2026-02-30"}, "end is '2026-02-30'"),
        ({"start": "20261120"}, "start is '20261120'"),
        ({"mapping": "other"}, "mapping is 'other'; it must be typed or flattened"),
        ({"own_events": "hide"}, "own_events is 'hide'; it must be keep or mark or leave-out"),
        ({"prefix": "a b"}, "prefix is 'a b'; it must be a text that matches"),
        ({"prefix": "a\n"}, "prefix is"),
        ({"prefix": None}, "prefix is None"),
        ({"settle_minutes": -1}, "settle_minutes is -1; it must be a whole number from 0 to 1440"),
        ({"settle_minutes": "30"}, "settle_minutes is '30'"),
        ({"settle_minutes": True}, "settle_minutes is True"),
        ({"ecs": "yes"}, "ecs is 'yes'; it must be true or false"),
        ({"force": 1}, "force is 1; it must be true or false"),
        ({"replay": "false"}, "replay is 'false'"),
        ({"verify": None}, "verify is None"),
        ({"replay": True, "verify": True}, "replay and verify exclude each other"),
        *(({"index": index}, "index") for index in BAD_INDICES),
        ({"index": 7}, "index is 7; it must be a text"),
    ],
)
def test_an_error_names_a_wrong_param(given: dict[str, Any], words: str) -> None:
    """With the allowed values, or with the right name."""
    defaults = {name: schema["default"] for name, schema in PARAMS.items()}
    with pytest.raises((PlanError, MappingError), match=words):
        check_params(PARAMS, defaults | given, given)


def test_the_late_dag_has_params_of_its_own() -> None:
    """It rejects a param of the daily DAG."""
    defaults = {name: schema["default"] for name, schema in LATE_PARAMS.items()}
    with pytest.raises(PlanError, match="has 'force'"):
        check_params(LATE_PARAMS, defaults, {"force": True})
    with pytest.raises(PlanError, match="days_ago is 90; it must be a whole number from 0 to 88"):
        check_params(LATE_PARAMS, defaults | {"days_ago": 90}, {})


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"index": "cloudtrail-coverage"}, "matches cloudtrail-coverage, which holds the loader's own data"),
        ({"index": "cloudtrail-\x07%Y"}, "is not a valid index name"),
        ({"begin": "2026-11-20"}, "Did you mean start"),
        ({"verify": True, "replay": True}, "exclude each other"),
    ],
)
def test_the_plan_rejects_a_wrong_param_before_any_fetch(
    dag: Any, services: Services, capsys: pytest.CaptureFixture[str], given: dict[str, Any], words: str
) -> None:
    """The plan fails, no cell begins, CloudTrail is not called, and nothing is staged."""
    import boto3

    before = calls(services)
    failed = run(dag, **conf(services) | given)
    assert str(failed.state) == "failed"
    found = states(failed)
    assert found.pop("plan") == ["failed"]
    assert {state for tasks in found.values() for state in tasks} <= {"upstream_failed", "failed"}
    assert found["cell.fetch"] == ["upstream_failed"]
    assert calls(services) == before
    assert "Contents" not in boto3.client("s3").list_objects_v2(Bucket=services.bucket)
    assert words in capsys.readouterr().out


@pytest.mark.parametrize(
    "given", [{"regions": "us-east-1"}, {"mapping": "other"}, {"force": "maybe"}, {"prefix": "a b"}]
)
def test_airflow_creates_no_run_with_a_value_of_a_wrong_type(
    dag: Any, services: Services, given: dict[str, Any]
) -> None:
    """The form's schema rejects the value on the trigger, and names the right type."""
    from airflow.sdk.exceptions import ParamValidationError

    before = calls(services)
    with pytest.raises(ParamValidationError, match=next(iter(given))):
        run(dag, **conf(services) | given)
    assert calls(services) == before


@pytest.mark.parametrize("index", ["cloudtrail-rules", "Upper", "a..b"])
def test_the_operators_reject_a_bad_index_at_once(services: Services, index: str) -> None:
    """Also in a user's own DAG, whatever is planned or staged."""
    start, end = "2026-11-20T00:00:00+00:00", "2026-11-21T00:00:00+00:00"
    window = {"account": "123456789012", "region": "eu-west-1", "start": start, "end": end}
    load = S3ToElasticsearchOperator(task_id="load", batch=window, bucket=services.bucket, index=index)
    coverage = CloudTrailCoverageOperator(task_id="coverage", planned=[], cells=None, index=index)
    for operator in (load, coverage):
        with pytest.raises(ConfigurationError, match="index pattern"):
            operator.execute({})
