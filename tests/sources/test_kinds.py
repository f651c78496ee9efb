"""Objects that are not events are skipped and counted by kind; two formats are errors."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.sources.spellings import b64, bridged, compact, kinesis, looked_up, notified, text_of
from tests.sources.test_spellings import EVENTS, read

EVENT = compact(EVENTS[0])

DIGEST = {
    "awsAccountId": "111122223333",
    "digestStartTime": "2026-11-20T09:00:00Z",
    "logFiles": [{"s3Bucket": "b"}],
}
NOTIFICATION = {
    "eventVersion": "2.1",
    "eventSource": "aws:s3",
    "awsRegion": "eu-west-1",
    "eventTime": "2026-11-20T10:00:00.000Z",
    "eventName": "ObjectCreated:Put",
    "s3": {"bucket": {"name": "b"}, "object": {"key": "k"}},
}
TEST = {"Service": "Amazon S3", "Event": "s3:TestEvent", "Time": "2026-11-20T10:00:00.000Z", "Bucket": "b"}
OBJECT_CREATED = {
    "detail-type": "Object Created",
    "source": "aws.s3",
    "detail": {"version": "0", "bucket": {"name": "b"}, "object": {"key": "k"}},
}
SUBSCRIPTION = {
    "Type": "SubscriptionConfirmation",
    "Token": "t",
    "TopicArn": "arn:aws:sns:eu-west-1:111122223333:t",
    "Message": "You have chosen to subscribe to the topic",
    "SubscribeURL": "https://example.com",
}
DELIVERY = {"s3Bucket": "b", "s3ObjectKey": ["AWSLogs/111122223333/CloudTrail/x.json.gz"]}
CONTROL = {
    "messageType": "CONTROL_MESSAGE",
    "owner": "CloudwatchLogs",
    "logEvents": [{"id": "", "timestamp": 1, "message": "CWL CONTROL MESSAGE: Checking health of destination"}],
}
ACTION = {"index": {"_index": "cloudtrail-2026.11", "_id": "1"}}
MANIFEST = {"account": "1", "region": "r", "start": "s", "end": "e", "parts": [], "version": 2, "fetch": "f"}
OCSF = {"class_uid": 6003, "metadata": {"product": {"name": "CloudTrail"}}, "time": 1, "api": {"operation": "x"}}
ATHENA = {"eventversion": "1.08", "eventname": "RunInstances", "eventsource": "ec2.amazonaws.com", "eventid": "x"}
LAKE = {"QueryStatus": "FINISHED", "QueryResultRows": [[{"eventID": "x"}, {"eventName": "y"}]] * 2}
ATHENA_API = {"ResultSet": {"Rows": [{"Data": [{"VarCharValue": "eventid"}]}], "ResultSetMetadata": {}}}

SKIPPED: list[tuple[Any, str]] = [
    (DIGEST, "digest files"),
    ({"Records": [NOTIFICATION]}, "S3 notifications"),
    (NOTIFICATION, "S3 notifications"),
    (TEST, "S3 notifications"),
    (OBJECT_CREATED, "S3 notifications"),
    (notified({"Records": [NOTIFICATION]}), "S3 notifications"),
    (
        {"Messages": [{"MessageId": "m", "Body": text_of({"Records": [NOTIFICATION]})}]},
        "S3 notifications",
    ),
    (SUBSCRIPTION, "SNS subscription messages"),
    (DELIVERY, "CloudTrail delivery notifications"),
    (notified(DELIVERY), "CloudTrail delivery notifications"),
    ({**notified(1), "Message": "CloudTrail validation message."}, "CloudTrail delivery notifications"),
    (CONTROL, "CloudWatch Logs control messages"),
    ({"Records": [kinesis(compact(CONTROL))]}, "CloudWatch Logs control messages"),
    (ACTION, "bulk action lines"),
    ({"delete": {"_id": "1"}}, "bulk action lines"),
    (MANIFEST, "manifests of staged events"),
]
NOT_SUPPORTED: list[tuple[Any, str]] = [
    (OCSF, "OCSF"),
    ([OCSF], "OCSF"),
    ({"records": [{"recordId": "1", "data": b64(compact(OCSF))}]}, "OCSF"),
    (ATHENA, "Athena"),
    (LAKE, "Lake"),
    (ATHENA_API, "Athena"),
]


@pytest.mark.parametrize("size", [1, 1 << 18])
@pytest.mark.parametrize(("other", "kind"), SKIPPED)
def test_objects_that_are_not_events_are_skipped_and_counted(other: Any, kind: str, size: int) -> None:
    """Alone and among events; no line and no error."""
    lines, report = read(compact(other), size)
    assert (lines, report.skipped, report.error) == ([], {kind: 1}, None)
    if other in (ACTION,):
        return  # the following line belongs to it
    lines, report = read(b"\n".join([EVENT, compact(other), EVENT]), size)
    assert (lines, report.skipped, report.error) == ([EVENT, EVENT], {kind: 1}, None)


@pytest.mark.parametrize("size", [1, 1 << 18])
@pytest.mark.parametrize(("other", "name"), NOT_SUPPORTED)
def test_an_error_names_an_unsupported_format(other: Any, name: str, size: int) -> None:
    """Its rows are counted, and none is returned."""
    lines, report = read(b"\n".join([EVENT, compact(other), EVENT]), size)
    assert lines == [EVENT, EVENT]
    assert any(name in kind for kind in report.skipped)
    assert name in str(report.error)
    assert "not supported" in str(report.error)
    assert not report.is_sound


@pytest.mark.parametrize(
    "header", ["eventVersion,userIdentity,eventTime,eventName", '"eventversion","eventname","eventid"']
)
def test_a_table_of_rows_is_one_error(header: str) -> None:
    """CSV of Athena and of Lake is reported once, not for each line."""
    lines, report = read(f"{header}\n{'1.08,x,y,z' * 3}\n".encode() * 50)
    assert lines == []
    assert "Athena" in str(report.error)


@pytest.mark.parametrize(
    "event",
    [
        {"eventVersion": "1.08", "eventID": "x", "requestParameters": {"digestStartTime": 1, "class_uid": 2}},
        {"eventVersion": "1.08", "eventName": "x", "s3": None},
        {"eventID": "x", "eventName": "PutEvents", "detail": {"a": 1}},
        {"eventID": "x", "requestParameters": {"index": {"_id": 1}}},
        {"eventId": "x", "accountId": "1", "eventCategory": "Aggregated", "timeWindow": {}},
        {"eventVersion": "1.08", "eventID": "x", "Records": [{"a": 1}]},
    ],
)
def test_events_with_names_of_other_kinds_are_events(event: Any) -> None:
    """These names occur in events, too."""
    for content in (compact(event), compact({"Records": [event]}), compact([event])):
        lines, report = read(content)
        assert [json.loads(line) for line in lines] == [event]
        assert report.error is None


def test_wrappers_lists_and_events_are_counted() -> None:
    """Each opened wrapper and list, and each event."""
    content = compact({"Messages": [{"MessageId": "m", "Body": text_of(bridged(EVENTS[0]))}] * 2})
    _, report = read(content + EVENT + compact({"Events": [looked_up(EVENTS[0], 1)]}))
    assert report.shapes == {
        "Messages": 1,
        "SQS": 2,
        "EventBridge": 2,
        "event": 3,
        "Events": 1,
        "lookup-events": 1,
        "staged event": 1,
    }


def test_bulk_actions_are_distinguished_from_their_documents() -> None:
    """A deletion has no document; an update has it under `doc`."""
    update = b'{"update":{"_id":"1"}}\n{"doc":%b}\n' % EVENT
    lines, report = read(b'{"delete":{"_id":"1"}}\n' + update + b'{"create":{}}\n%b\n' % EVENT)
    assert lines == [EVENT, EVENT]
    assert report.skipped == {"bulk action lines": 3}
