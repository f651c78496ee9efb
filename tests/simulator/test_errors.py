"""The API's errors, as boto3 and as plain HTTP requests get them."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from datetime import timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError

from devstack.simulator import ManualClock, Simulator
from devstack.simulator.protocol import TARGET
from tests.simulator.lookups import FIRST, LAST, client, quick

_SIGNED = (
    "AWS4-HMAC-SHA256 Credential=AKIAX/20261120/us-east-1/cloudtrail/aws4_request, SignedHeaders=host, Signature=0"
)


def attribute(key: str, value: str) -> dict[str, str]:
    return {"AttributeKey": key, "AttributeValue": value}


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        ({"StartTime": LAST, "EndTime": FIRST}, "InvalidTimeRangeException"),
        ({"MaxResults": 51}, "InvalidMaxResultsException"),
        ({"LookupAttributes": [attribute("Color", "red")]}, "InvalidLookupAttributesException"),
        ({"LookupAttributes": [attribute("ReadOnly", "maybe")]}, "InvalidLookupAttributesException"),
        ({"LookupAttributes": [attribute("EventName", "x" * 2001)]}, "InvalidLookupAttributesException"),
        (
            {"LookupAttributes": [attribute("EventName", "A"), attribute("Username", "b")]},
            "InvalidLookupAttributesException",
        ),
        (
            {"EventCategory": "insight", "LookupAttributes": [attribute("Username", "b")]},
            "InvalidLookupAttributesException",
        ),
        ({"EventCategory": "data"}, "InvalidEventCategoryException"),
        ({"NextToken": "no such token"}, "InvalidNextTokenException"),
        ({"NextToken": "c2hvcnQ="}, "InvalidNextTokenException"),
    ],
)
def test_a_wrong_request_gets_the_documented_error(
    simulator: Simulator, request_: dict[str, Any], code: str
) -> None:
    """Each parameter out of range has its own error with HTTP status 400."""
    with pytest.raises(ClientError) as caught:
        client(simulator).lookup_events(**request_)
    assert caught.value.response["Error"]["Code"] == code
    assert caught.value.response["ResponseMetadata"]["HTTPStatusCode"] == 400


def test_botocore_knows_the_errors_by_name(simulator: Simulator) -> None:
    """A program gets the errors as the client's exception classes."""
    cloudtrail = client(simulator)
    with pytest.raises(cloudtrail.exceptions.InvalidTimeRangeException):
        cloudtrail.lookup_events(StartTime=FIRST, EndTime=FIRST - timedelta(seconds=1))


def test_other_operations_are_unknown(simulator: Simulator) -> None:
    """An operation that the simulator does not serve is rejected as unknown."""
    with pytest.raises(ClientError, match="UnknownOperationException"):
        client(simulator).list_channels()


def test_an_unknown_access_key_is_rejected(clock: ManualClock) -> None:
    """Without a default account only the keys of the map are valid."""
    with Simulator(quick(default_account=None, accounts={"AKIAKNOWN": "111122223333"}), clock) as simulator:
        assert client(simulator, access_key="AKIAKNOWN").lookup_events()["Events"]
        with pytest.raises(ClientError, match="UnrecognizedClientException"):
            client(simulator).lookup_events()


def test_a_session_token_is_accepted(simulator: Simulator) -> None:
    """Temporary credentials work like permanent ones."""
    assert client(simulator, session_token="token").lookup_events()["Events"]


def test_a_region_that_is_not_enabled_is_rejected(simulator: Simulator) -> None:
    """Like AWS: credentials are invalid in a region that the account has not enabled."""
    with pytest.raises(ClientError, match="UnrecognizedClientException"):
        client(simulator, "af-south-1").lookup_events()


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        ({}, b"{}", "MissingAuthenticationTokenException"),
        ({"Authorization": "Bearer 1234"}, b"{}", "IncompleteSignatureException"),
        ({"Authorization": _SIGNED.replace("/cloudtrail/", "/s3/")}, b"{}", "IncompleteSignatureException"),
        ({"Authorization": _SIGNED}, b"{", "SerializationException"),
        ({"Authorization": _SIGNED}, b"[1]", "SerializationException"),
        ({"Authorization": _SIGNED}, b'{"MaxResults": 0}', "InvalidMaxResultsException"),
        ({"Authorization": _SIGNED}, b'{"MaxResults": "5"}', "InvalidMaxResultsException"),
        ({"Authorization": _SIGNED}, b'{"StartTime": -1}', "InvalidTimeRangeException"),
        ({"Authorization": _SIGNED}, b'{"EndTime": 1e15}', "InvalidTimeRangeException"),
        ({"Authorization": _SIGNED}, b'{"NextToken": 5}', "InvalidNextTokenException"),
        ({"Authorization": _SIGNED, "X-Amz-Target": "Wrong"}, b"{}", "UnknownOperationException"),
    ],
)
def test_requests_that_boto3_never_sends_are_rejected(
    simulator: Simulator, headers: dict[str, str], body: bytes, code: str
) -> None:
    """The errors of the protocol itself have a type and a message."""
    request = urllib.request.Request(simulator.endpoint_url, body, {"X-Amz-Target": TARGET, **headers})
    with pytest.raises(urllib.error.HTTPError) as caught:
        urllib.request.urlopen(request)
    with caught.value as answer:
        assert answer.status == 400
        assert answer.headers["Content-Type"] == "application/x-amz-json-1.1"
        error = json.loads(answer.read())
    assert error["__type"] == code
    assert error["message"]
