"""The events of an answer: equal to those of botocore's own parser."""

from __future__ import annotations

import json
from typing import Any

import boto3
import pytest
from botocore.awsrequest import AWSResponse
from botocore.config import Config
from botocore.exceptions import ClientError
from botocore.parsers import create_parser
from hypothesis import example, given, settings
from hypothesis import strategies as st

from cloudtrail_elasticsearch.sources.lookup_events.answers import _parse_events, parse_events_fast
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


EVENT = {"EventId": "a", "EventTime": 1_795_132_800.5, "CloudTrailEvent": '{"a":"\u00e9 \\ud83d"}', "Other": [{}]}
LISTED = [EVENT | {"Username": "Zo\u00eb \U0001f600"}, {"EventTime": 5, "Username": None}, {}]
ANSWERS: dict[str, tuple[int, bytes]] = {
    "events": (200, json.dumps({"Events": LISTED, "NextToken": "t"}).encode()),
    "raw unicode": (200, json.dumps({"Events": LISTED}, ensure_ascii=False).encode()),
    "no events": (200, b'{"Events":[]}'),
    "unknown members": (200, b'{"Events":[],"Unknown":{"a":[1]},"NextToken":""}'),
    "cut short": (200, b'{"Events":[{"EventId":"a"'),
    "not UTF-8": (200, b'{"Events":[{"EventId":"\xff"}]}'),
    "empty": (200, b""),
    "throttled": (400, b'{"__type":"ThrottlingException","message":"Rate exceeded"}'),
    "denied": (400, b'{"__type":"AccessDeniedException","Message":"no"}'),
    "expired": (400, b'{"__type":"com.amazonaws#InvalidNextTokenException","message":"old","Events":[{}]}'),
    "broken error": (400, b'{"__type":"Throttl'),
    "fault": (500, b'{"__type":"InternalFailure"}'),
    "a proxy's page": (503, b"<html><body>Service Unavailable</body></html>"),
    "an empty fault": (500, b""),
}


class Raw:
    """The body of a response, as urllib3 has it."""

    def __init__(self, body: bytes) -> None:
        self._body = body

    def stream(self, *_: Any, **__: Any) -> Any:
        yield self._body


def ask(status: int, body: bytes, *, fast: bool) -> tuple[Any, int]:
    """Return a client's result or error, and the number of its requests."""
    client = boto3.client(
        "cloudtrail",
        "eu-west-1",
        aws_access_key_id="x",
        aws_secret_access_key="y",
        config=Config(retries={"mode": "standard", "total_max_attempts": 3}),
    )
    if fast:
        parse_events_fast(client)
    requests = []

    def respond(request: Any, **_: Any) -> AWSResponse:
        requests.append(request)
        return AWSResponse(request.url, status, {"x-amzn-requestid": "1"}, Raw(body))

    client.meta.events.register("before-send.cloudtrail.LookupEvents", respond)
    try:
        return client.lookup_events(), len(requests)
    except ClientError as error:
        return (type(error).__name__, str(error), error.response), len(requests)
    except Exception as error:  # noqa: BLE001 - the kinds are compared
        return (type(error).__name__, str(error)), len(requests)


@pytest.mark.parametrize("name", ANSWERS)
def test_the_fast_parser_returns_what_botocore_returns(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The result, the error and the number of requests are the same for each answer."""
    monkeypatch.setattr("botocore.retries.standard.ExponentialBackoff.delay_amount", lambda *_: 0.0)
    expected, requests = ask(*ANSWERS[name], fast=False)
    assert ask(*ANSWERS[name], fast=True) == (expected, requests)
    assert requests == (3 if name in {"throttled", "fault", "a proxy's page", "an empty fault"} else 1)
