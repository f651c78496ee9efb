"""The events of an answer: equal to those of botocore's own parser."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.parsers import create_parser
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cloudtrail_elasticsearch.sources.lookup_events.answers import _parse_events
from tests.core.strategies import values
from tests.examples import examples

texts = st.one_of(st.none(), st.text(st.characters(exclude_categories=["Cs"])))
epochs = st.one_of(st.integers(0, 4_000_000_000), st.floats(0, 4e9))
times = st.one_of(
    st.none(), epochs, st.sampled_from(["2026-11-20T10:00:00Z", "1795132800", "2026-11-20 10:00:00.5"])
)
resources = st.one_of(
    st.none(),
    st.lists(st.fixed_dictionaries({}, optional={"ResourceType": texts, "ResourceName": texts, "Other": texts})),
)
events = st.fixed_dictionaries(
    {},
    optional={
        "EventId": texts,
        "EventTime": times,
        "CloudTrailEvent": values.map(json.dumps),
        "Username": texts,
        "EventName": texts,
        "ReadOnly": texts,
        "Unknown": values,
        "Resources": resources,
    },
)


@pytest.fixture(scope="module")
def operation() -> Any:
    client = boto3.client("cloudtrail", "eu-west-1", aws_access_key_id="x", aws_secret_access_key="y")
    return client.meta.service_model.operation_model("LookupEvents")


def answer(body: bytes, status: int = 200) -> dict[str, Any]:
    return {"status_code": status, "headers": {}, "body": body}


def parse_with_botocore(operation: Any, response: dict[str, Any]) -> dict[str, Any]:
    parsed: dict[str, Any] = create_parser("json").parse(response, operation.output_shape)
    return parsed


def parse(operation: Any, response: dict[str, Any]) -> dict[str, Any]:
    """Return the answer as a client returns it: botocore's own, with the events that the hook parsed."""
    customized: dict[str, Any] = {}
    _parse_events(response_dict=response, operation_model=operation, customized_response_dict=customized)
    return parse_with_botocore(operation, response) | customized


@settings(max_examples=examples(200))
@given(listed=st.lists(events), token=texts)
@example(listed=[{"EventTime": 1_795_132_800.123}, {"EventTime": 0}], token="t")
def test_they_are_those_of_botocore(operation: Any, listed: list[dict[str, Any]], token: str | None) -> None:
    """The members and their order, too."""
    body = json.dumps({"Events": listed, "NextToken": token}).encode()
    expected = parse_with_botocore(operation, answer(body))
    parsed = parse(operation, answer(body))
    assert parsed == expected
    assert [list(event) for event in parsed["Events"]] == [list(event) for event in expected["Events"]]


@pytest.mark.parametrize(
    "body",
    [b"", b"no JSON", b"[]", b'{"Events":null}', b'{"NextToken":"t"}', b'{"Events":[],"NextToken":null}', b"{}"],
)
def test_other_answers_are_left_to_botocore(operation: Any, body: bytes) -> None:
    """It raises its own errors."""
    assert outcome(parse, operation, body) == outcome(parse_with_botocore, operation, body)


def test_an_error_is_left_to_botocore(operation: Any) -> None:
    """Whatever its body has."""
    body = b'{"__type":"ThrottlingException","message":"slow down","Events":[{}]}'
    found = parse(operation, answer(body, 400))
    assert found == parse_with_botocore(operation, answer(body, 400))
    assert found["Error"]["Code"] == "ThrottlingException"


def outcome(parse: Any, operation: Any, body: bytes) -> Any:
    try:
        return parse(operation, answer(body))
    except Exception as error:  # noqa: BLE001 - the kinds are compared
        return type(error)


@pytest.mark.promise("nothing-lost")
@pytest.mark.parametrize("time", ["soon", True, 1e300, -1e300, [], {}, "NaN"])
@pytest.mark.parametrize("resources", ["none", [1], {}, 5])
def test_members_of_wrong_types_are_dropped(operation: Any, time: Any, resources: Any) -> None:
    """The event stays, with its record."""
    event = {"EventId": "a", "EventTime": time, "Resources": resources, "CloudTrailEvent": "{}"}
    body = json.dumps({"Events": [event, 5, None, {"EventId": "b"}]}).encode()
    assert parse(operation, answer(body))["Events"] == [
        {"EventId": "a", "CloudTrailEvent": "{}"},
        {"EventId": "b"},
    ]
