"""Generated records look like CloudTrail's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import orjson
import pytest
from botocore.model import OperationNotFoundError

from devstack.simulator import DEFAULT_ACCOUNT, Generator, event_for, mix, operations
from devstack.simulator.calls import service_calls
from devstack.simulator.models import GLOBAL_SERVICES, is_data_event
from devstack.simulator.values import HIDDEN, iso_time, java_time
from tests.simulator.lookups import DAY, REGION

_ALWAYS = {
    "eventVersion",
    "userIdentity",
    "eventTime",
    "eventSource",
    "eventName",
    "awsRegion",
    "sourceIPAddress",
    "userAgent",
    "requestParameters",
    "responseElements",
    "eventID",
    "readOnly",
    "eventType",
    "managementEvent",
    "recipientAccountId",
    "eventCategory",
}


def a_day(region: str = REGION, volume: int = 2500) -> list[dict[str, Any]]:
    generator = Generator(volume=volume)
    entries = generator.newest_first(generator.day(DEFAULT_ACCOUNT, region, DAY))
    return [dict(entry.read().fields) for entry in entries]


def some_of(service: str, operation: str) -> Iterator[dict[str, Any]]:
    return (event_for(service, operation, seed) for seed in range(40))


def called(service: str, operation: str) -> dict[str, Any]:
    """Return an event of a successful call with a request and, if the operation can have one, a response."""
    events = [event for event in some_of(service, operation) if "errorCode" not in event]
    return max(events, key=lambda event: len(orjson.dumps(event)))


def test_a_day_has_everything_an_envelope_can_have() -> None:
    """Every event has the envelope of version 1.11, and a day has all kinds of callers and fields."""
    events = a_day()
    assert all(event.keys() >= _ALWAYS for event in events)
    assert {event["eventVersion"] for event in events} == {"1.11"}
    assert {event["userIdentity"].get("type") for event in events} >= {
        "AssumedRole",
        "IAMUser",
        "Root",
        "AWSService",
        "AWSAccount",
        "FederatedUser",
    }
    assert {event["eventType"] for event in events} == {"AwsApiCall", "AwsConsoleSignIn", "AwsServiceEvent"}
    seen = {name for event in events for name in event}
    assert seen >= {"tlsDetails", "additionalEventData", "resources", "sharedEventID", "vpcEndpointId"}
    assert seen >= {"sessionCredentialFromConsole", "serviceEventDetails", "apiVersion", "errorCode", "requestID"}
    addresses = {event["sourceIPAddress"] for event in events}
    assert addresses >= {"AWS Internal", "ec2.amazonaws.com"}


def test_one_event_in_twenty_is_an_error_without_a_response() -> None:
    """About 5% of the calls fail; those have no response."""
    events = a_day()
    failed = [event for event in events if "errorCode" in event]
    assert 0.03 < len(failed) / len(events) < 0.07
    assert all(event["responseElements"] is None for event in failed)


def test_only_reading_calls_of_sts_have_a_response() -> None:
    """Other read-only calls are recorded without their results."""
    for event in a_day():
        if event["readOnly"] and event["eventSource"] != "sts.amazonaws.com":
            assert event["responseElements"] is None
    assert called("sts", "AssumeRole")["responseElements"]["assumedRoleUser"]


def test_a_day_is_mostly_popular_calls_with_a_long_tail() -> None:
    """A few operations are most of a day, and hundreds occur once or twice."""
    names = Counter((event["eventSource"], event["eventName"]) for event in a_day())
    assert names.most_common(1)[0][0] == ("sts.amazonaws.com", "AssumeRole")
    assert sum(count for _, count in names.most_common(40)) > 0.5 * names.total()
    assert sum(count <= 2 for count in names.values()) > 150


def test_days_together_have_most_services() -> None:
    """The services of the tail differ from day to day."""
    days = [set(mix.tail_services(1, DEFAULT_ACCOUNT, day, REGION)) for day in range(20_000, 20_060)]
    assert len(set().union(*days)) > 400


def test_global_services_are_recorded_in_one_region() -> None:
    """Events of IAM, CloudFront, Route 53 and Organizations are only in us-east-1."""
    sources = {f"{name}.amazonaws.com" for name in GLOBAL_SERVICES} | {"signin.amazonaws.com"}
    assert not sources & {event["eventSource"] for event in a_day("eu-west-1", 8000)}
    assert {"iam.amazonaws.com", "route53.amazonaws.com"} <= {event["eventSource"] for event in a_day()}


def test_no_day_has_data_events() -> None:
    """LookupEvents returns management events only."""
    assert {event["eventCategory"] for event in a_day()} == {"Management"}
    assert is_data_event("s3", "GetObject")
    assert not is_data_event("s3", "GetBucketPolicy")
    assert event_for("dynamodb", "PutItem", 1)["eventCategory"] == "Data"


def test_every_popular_operation_exists() -> None:
    """The mix has only operations of botocore."""
    choices, _ = mix._popular(REGION)
    for service, operation in set(choices) - {mix.CONSOLE_LOGIN, mix.SERVICE_EVENT, mix.TAIL}:
        assert operation in service_calls(service).operations


@pytest.mark.slow
def test_an_event_can_be_made_of_any_operation() -> None:
    """A sample of about 20,000 operations: each event is valid JSON of bounded size."""
    everything = operations()
    assert len(everything) > 15_000
    for service, operation in everything[::111]:
        event = event_for(service, operation, 1)
        assert event["eventSource"].endswith(".amazonaws.com")
        assert event["eventName"].startswith(operation)
        assert len(orjson.dumps(event)) < 100_000


def test_an_unknown_operation_is_rejected() -> None:
    """There are no events of operations that botocore does not know."""
    with pytest.raises(KeyError, match="teleport"):
        event_for("teleport", "Beam", 1)
    with pytest.raises(OperationNotFoundError):
        event_for("ec2", "Beam", 1)


def test_ec2_renders_its_first_operations_with_sets() -> None:
    """Lists are `xxxSet: {items: […]}`, an unused one an empty object."""
    requests = [event["requestParameters"] for event in some_of("ec2", "DescribeInstances")]
    sets = [request["instancesSet"] for request in requests if request and "instancesSet" in request]
    assert {} in sets
    assert any(item["instanceId"].startswith("i-") for found in sets for item in found.get("items", ()))


def test_ec2_renders_its_later_operations_as_xml() -> None:
    """The request is under its name, list elements have a tag, the answer has its namespace."""
    events = [event for event in some_of("ec2", "CreateFlowLogs") if "errorCode" not in event]
    requests = [event["requestParameters"]["CreateFlowLogsRequest"] for event in events]
    assert any(
        isinstance(request["ResourceId"], dict) and request["ResourceId"]["tag"] == 1 for request in requests
    )
    assert any(isinstance(request["ResourceId"], list) for request in requests)
    assert all("xmlns" in event["responseElements"]["CreateFlowLogsResponse"] for event in events)


def test_other_services_are_rendered_in_their_own_ways() -> None:
    """S3's empty flags, Lambda's versions, lower-case first letters, hidden secrets, a text for an object."""
    policies = {str(event["requestParameters"]["policy"]) for event in some_of("s3", "GetBucketPolicy")}
    assert policies == {"", "['']"}
    assert called("lambda", "UpdateFunctionCode")["eventName"] == "UpdateFunctionCode20150331v2"
    assert "dBInstanceIdentifier" in called("rds", "CreateDBInstance")["requestParameters"]
    assert called("cloudfront", "CreateDistribution")["apiVersion"] == "2020_05_31"
    assert called("iam", "CreateLoginProfile")["requestParameters"]["password"] == HIDDEN
    assert called("kms", "RetireGrant")["additionalEventData"].startswith("Grant ID: ")
    assert isinstance(called("s3", "ListBuckets")["additionalEventData"], dict)


def test_some_objects_are_redacted() -> None:
    """One member is an object in most events and, rarely, the text that replaces a hidden value."""
    found = {
        type(request["provisionedThroughput"])
        for seed in range(4000)
        if (request := event_for("dynamodb", "UpdateTable", seed)["requestParameters"])
        and request.get("provisionedThroughput")
    }
    assert found == {dict, str}


def test_an_empty_xml_element_is_an_empty_text() -> None:
    """A list of a service with XML is a list or, if it is empty, `""`."""
    found: set[object] = set()
    for seed in range(1000):
        tags = event_for("autoscaling", "CreateAutoScalingGroup", seed)["requestParameters"].get("tags")
        assert isinstance(tags, list) or tags in (None, "", HIDDEN)
        found.add("" if tags == "" else type(tags))
    assert found >= {list, ""}


def test_times_are_written_in_each_service_s_way() -> None:
    """As ISO text, as old Java text, and as numbers."""
    noon = 1_534_403_528
    assert iso_time(noon) == "2018-08-16T07:12:08Z"
    assert java_time(noon) == "Aug 16, 2018 7:12:08 AM"
    assert java_time(noon + timedelta(hours=12).seconds) == "Aug 16, 2018 7:12:08 PM"
    assert java_time(0) == "Jan 1, 1970 12:00:00 AM"
