"""Elastic's fields from raw records, and the fields of its queries."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from devstack.detections.elastic_fields import ElasticValues, show_java
from devstack.detections.elastic_rules import convert_kql_rule, read_elastic_rules, read_fields
from devstack.detections.errors import RuleError
from devstack.detections.rules import Rule, Unconverted

from .events import make_event

RECORD: dict[str, Any] = make_event(
    "one",
    "ConsoleLogin",
    userIdentity={
        "type": "AssumedRole",
        "arn": "arn:aws:sts::1:assumed-role/admin/eve",
        "accountId": "1",
        "sessionContext": {"sessionIssuer": {"userName": "admin", "arn": "arn:aws:iam::1:role/admin"}},
    },
    requestParameters={
        "userName": "bob",
        "tags": [{"key": "a", "value": True}],
        "none": None,
        "empty": "",
        "n": 5,
    },
    responseElements={"ConsoleLogin": "Failure"},
    additionalEventData={"MFAUsed": "No", "LoginTo": "https://console.aws.amazon.com"},
    tlsDetails={"tlsVersion": "TLSv1.3"},
    resources=[{"ARN": "arn:a", "accountId": "1", "type": "AWS::S3::Bucket"}, {"ARN": "arn:b"}],
)


@pytest.mark.parametrize(
    ("field", "values"),
    [
        ("event.action", ["ConsoleLogin"]),
        ("event.outcome", ["failure"]),
        ("data_stream.dataset", ["aws.cloudtrail"]),
        ("cloud.account.id", ["1"]),
        ("user.name", ["admin"]),
        ("user.target.name", ["bob"]),
        ("related.user", ["bob"]),
        ("source.ip", ["203.0.113.7"]),
        ("aws.cloudtrail.user_identity.session_context.session_issuer.arn", ["arn:aws:iam::1:role/admin"]),
        ("aws.cloudtrail.request_parameters", ["{userName=bob, tags=[{key=a, value=true}], n=5}"]),
        ("aws.cloudtrail.flattened.request_parameters.tags.key", ["a"]),
        ("aws.cloudtrail.console_login.additional_eventdata.mfa_used", [False]),
        ("aws.cloudtrail.resources.arn", ["arn:a", "arn:b"]),
        ("aws.cloudtrail.error_code", []),
        ("tls.version", ["1.3"]),
        ("tls.version_protocol", ["tls"]),
        ("source.as.organization.name", []),
        ("requestParameters.userName", ["bob"]),
    ],
)
def test_fields_are_derived_from_the_record(field: str, values: list[Any]) -> None:
    assert list(ElasticValues(RECORD).find(field)) == values


def test_a_name_of_nobody_is_an_error() -> None:
    """A silent empty value would make a rule with a misspelt field equal."""
    with pytest.raises(RuleError, match=r"user\.naam"):
        ElasticValues(RECORD).find("user.naam")


def test_java_shows_no_empty_values() -> None:
    assert show_java({"a": {"b": None}, "c": [], "d": [1.5, ""], "e": "x=y"}) == "{d=[1.5], e=x=y}"


def test_kql_with_an_unknown_field_is_not_run() -> None:
    assert isinstance(convert_kql_rule("test", "event.action: x or user.naam: y", {}), Unconverted)


def test_kql_is_evaluated_on_the_record() -> None:
    query = 'data_stream.dataset: "aws.cloudtrail" and event.outcome: failure and user.name: (* and not root)'
    rule = convert_kql_rule("test", query, {})
    assert isinstance(rule, Rule)
    assert rule.matches(RECORD)
    assert not rule.matches(RECORD | {"responseElements": {"ConsoleLogin": "Success"}})
    assert rule.fields == {"data_stream.dataset", "event.outcome", "user.name"}


@pytest.mark.parametrize(
    ("query", "fields"),
    [
        (
            'iam where event.action == "a.b" and stringContains(user.name, "x")',
            {"event.category", "event.action", "user.name"},
        ),
        ("any where event.action in ('x') // and not.this", {"event.action"}),
        (
            'FROM logs-aws.cloudtrail-* | WHERE @timestamp > now() - 1 hour AND user.name LIKE "a*" '
            "| EVAL Esql.count = 1, new.column = source.ip | STATS x = COUNT(*) BY new.column | KEEP aws.*",
            {"@timestamp", "user.name", "source.ip"},
        ),
    ],
)
def test_fields_of_other_languages_are_read(query: str, fields: set[str]) -> None:
    assert read_fields(query) == fields


def test_rules_in_other_languages_are_not_run(tmp_path: Path) -> None:
    file = tmp_path / "rule.toml"
    file.write_text('[rule]\nlanguage = "eql"\nquery = "any where event.action == \'x\'"\n')
    (rule,) = read_elastic_rules(file, {})
    assert isinstance(rule, Unconverted)
    assert rule.fields == {"event.action"}
    file.write_text('[rule]\ntype = "machine_learning"\n')
    assert list(read_elastic_rules(file, {})) == []


def test_the_content_of_a_broken_file_is_not_quoted(tmp_path: Path) -> None:
    file = tmp_path / "rule.toml"
    file.write_text("secret")
    with pytest.raises(RuleError, match=r"rule\.toml is not TOML") as error:
        list(read_elastic_rules(file, {}))
    assert "secret" not in str(error.value)
