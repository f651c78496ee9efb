"""The forms of CloudTrail events on disk: functions from events to the bytes of a file."""

from __future__ import annotations

import base64
import bz2
import gzip
import json
import lzma
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from cloudtrail_elasticsearch.core.documents.events import Event
from cloudtrail_elasticsearch.core.documents.normalize import Normalizer
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema

TIME = datetime(2026, 11, 20, 10, tzinfo=UTC)
EventObject = dict[str, Any]
Spelling = Callable[[list[EventObject]], bytes]

NORMALIZER = Normalizer(build_schema("typed", load_rules()))


def compact(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode()


def pretty(value: Any) -> bytes:
    return json.dumps(value, indent=4).encode()


def text_of(value: Any) -> str:
    return compact(value).decode()


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def records(events: list[EventObject]) -> bytes:
    return compact({"Records": events})


def ndjson(events: list[EventObject]) -> bytes:
    return b"".join(compact(event) + b"\n" for event in events)


def log_events(events: list[EventObject]) -> dict[str, Any]:
    """A subscription's message: https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html"""
    entries = [{"id": str(n), "timestamp": 1, "message": text_of(event)} for n, event in enumerate(events)]
    return {
        "messageType": "DATA_MESSAGE",
        "owner": "111122223333",
        "logGroup": "trail",
        "logStream": "s",
        "subscriptionFilters": ["all"],
        "logEvents": entries,
    }


def bridged(event: EventObject) -> dict[str, Any]:
    return {
        "version": "0",
        "id": "b03f6e6c-1a74-4f69-e219-84e2498d7f20",
        "detail-type": "AWS API Call via CloudTrail",
        "source": "aws.ec2",
        "resources": [],
        "detail": event,
    }


def notified(message: Any) -> dict[str, Any]:
    return {
        "Type": "Notification",
        "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
        "TopicArn": "arn:aws:sns:eu-west-1:111122223333:t",
        "Message": text_of(message),
        "Timestamp": "2026-11-20T10:00:00.000Z",
    }


def looked_up(event: EventObject, time: Any) -> dict[str, Any]:
    return {
        "EventId": event["eventID"],
        "EventName": event["eventName"],
        "ReadOnly": "true",
        "EventTime": time,
        "EventSource": "ec2.amazonaws.com",
        "Username": "ada",
        "Resources": [{"ResourceType": "AWS::EC2::Instance", "ResourceName": "i-1"}],
        "CloudTrailEvent": text_of(event),
    }


def documents(events: list[EventObject]) -> list[dict[str, Any]]:
    return [json.loads(compact(NORMALIZER.document(Event(event, {})).source)) for event in events]


def hit(source: Any, number: int) -> dict[str, Any]:
    return {"_index": "cloudtrail-2026.11", "_id": str(number), "_score": 1, "_source": source}


def bulk(events: list[EventObject]) -> bytes:
    action = compact({"index": {"_index": "cloudtrail-2026.11", "_id": "1"}})
    return b"".join(b"%b\n%b\n" % (action, compact(document)) for document in documents(events))


def filebeat(event: EventObject) -> dict[str, Any]:
    return {"@timestamp": "x", "event": {"original": text_of(event)}, "agent": {"type": "filebeat"}}


def quarantined(event: EventObject) -> dict[str, Any]:
    return {"quarantinedAt": "x", "eventID": event.get("eventID"), "event": text_of(event), "reason": "r"}


def kinesis(content: bytes) -> dict[str, Any]:
    """https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html"""
    return {
        "kinesis": {"partitionKey": "1", "sequenceNumber": "1", "data": b64(content)},
        "eventSource": "aws:kinesis",
        "eventVersion": "1.0",
        "eventID": "shardId-000000000006:1",
        "eventName": "aws:kinesis:record",
    }


def staged(event: EventObject) -> bytes:
    return b'{"lookup":{"EventId":"%b"},"event":%b}' % (event["eventID"].encode(), compact(event))


SPELLINGS: dict[str, Spelling] = {
    "ndjson": ndjson,
    "ndjson, the last line not ended": lambda events: ndjson(events).rstrip(b"\n"),
    "ndjson, CRLF": lambda events: ndjson(events).replace(b"\n", b"\r\n"),
    "ndjson, blank lines": lambda events: b"\n \n" + ndjson(events).replace(b"\n", b"\n\n\n"),
    "ndjson, sorted names": lambda events: b"\n".join(
        json.dumps(event, sort_keys=True).encode() for event in events
    ),
    "JSON text sequence": lambda events: b"".join(b"\x1e" + compact(event) + b"\n" for event in events),
    "records": records,
    "records, blanks": lambda events: json.dumps({"Records": events}).replace('{"R', '{  "R').encode() + b" \n",
    "records, pretty": lambda events: pretty({"Records": events}),
    "records, no indentation": lambda events: json.dumps({"Records": events}, indent=0).encode(),
    "records, CRLF": lambda events: pretty({"Records": events}).replace(b"\n", b"\r\n"),
    "records, other names before": lambda events: compact({"x": {"Records": 1, "y": ["]"]}, "Records": events}),
    "records, other names behind": lambda events: compact({"Records": events, "x": {"y": ["]", {}]}}),
    "records, twice in one object": lambda events: (
        b'{"Records":%b,"Records":%b}' % (compact(events[:1]), compact(events[1:]))
    ),
    "records, byte order mark": lambda events: b"\xef\xbb\xbf" + records(events),
    "records, UTF-16 with mark": lambda events: records(events).decode().encode("utf-16"),
    "records, UTF-16 big-endian with mark": lambda events: (
        b"\xfe\xff" + records(events).decode().encode("utf-16-be")
    ),
    "records, UTF-16 little-endian": lambda events: records(events).decode().encode("utf-16-le"),
    "records, UTF-16 big-endian": lambda events: records(events).decode().encode("utf-16-be"),
    "records, UTF-32 with mark": lambda events: records(events).decode().encode("utf-32"),
    "records, UTF-32 little-endian": lambda events: records(events).decode().encode("utf-32-le"),
    "records, UTF-32 big-endian": lambda events: records(events).decode().encode("utf-32-be"),
    "records, UTF-8 beyond ASCII": lambda events: json.dumps({"Records": events}, ensure_ascii=False).encode(
        "utf-8", "surrogatepass"
    ),
    "records, gzip": lambda events: gzip.compress(records(events)),
    "records, gzip members": lambda events: b"".join(gzip.compress(records([event])) for event in events),
    "records, gzip member cut inside": lambda events: (
        gzip.compress(records(events)[:30]) + gzip.compress(records(events)[30:]) + b"\0" * 512
    ),
    "records, gzip in gzip": lambda events: gzip.compress(gzip.compress(records(events))),
    "records, gzip of gzip members": lambda events: gzip.compress(
        b"".join(gzip.compress(records([event])) for event in events)
    ),
    "records, bzip2": lambda events: bz2.compress(records(events)),
    "records, bzip2 members": lambda events: b"".join(bz2.compress(records([event])) for event in events),
    "records, xz": lambda events: lzma.compress(records(events)),
    "records, xz in gzip": lambda events: gzip.compress(lzma.compress(records(events))),
    "records, UTF-16 in gzip": lambda events: gzip.compress(records(events).decode().encode("utf-16")),
    "records joined": lambda events: b"".join(records([event]) for event in events),
    "records on lines": lambda events: b"\n".join(records([event]) for event in events),
    "records joined, with marks": lambda events: b"".join(b"\xef\xbb\xbf" + records([event]) for event in events),
    "records in a list": lambda events: compact([{"Records": [event]} for event in events]),
    "objects joined": lambda events: b"".join(map(compact, events)),
    "objects joined, pretty": lambda events: b"\n".join(map(pretty, events)),
    "objects joined, pretty, no line between": lambda events: b"".join(map(pretty, events)),
    "list": compact,
    "list, an element on each line": lambda events: b"[\n" + b",\n".join(map(compact, events)) + b"\n]\n",
    "list, pretty": pretty,
    "list of lists": lambda events: compact([[event] for event in events]),
    "lists joined": lambda events: b"".join(compact([event]) for event in events),
    "EventBridge": lambda events: b"\n".join(compact(bridged(event)) for event in events),
    "EventBridge, pretty": lambda events: pretty([bridged(event) for event in events]),
    "EventBridge's put-events": lambda events: compact(
        {"Entries": [{"Source": "x", "DetailType": "y", "Detail": text_of(event)} for event in events]}
    ),
    "CloudWatch Logs": lambda events: compact(log_events(events)),
    "CloudWatch Logs, pretty": lambda events: pretty(log_events(events)),
    "CloudWatch Logs to Lambda": lambda events: compact(
        {"awslogs": {"data": b64(gzip.compress(compact(log_events(events))))}}
    ),
    "CloudWatch Logs, filter-log-events": lambda events: compact(
        {
            "events": [
                {"logStreamName": "s", "timestamp": 1, "message": text_of(e), "ingestionTime": 2, "eventId": "3"}
                for e in events
            ],
            "searchedLogStreams": [],
        }
    ),
    "CloudWatch Logs, get-query-results": lambda events: compact(
        {"results": [[{"field": "@message", "value": text_of(event)}] for event in events], "status": "Complete"}
    ),
    "CloudWatch Logs, exported to S3": lambda events: b"".join(
        b"2026-11-20T10:00:00.123Z %b\n" % compact(event) for event in events
    ),
    "CloudWatch Logs, tail": lambda events: b"".join(
        b"2026-11-20T10:00:00.123000+00:00 111122223333_CloudTrail_eu-west-1 %b\n" % compact(event)
        for event in events
    ),
    "strings": lambda events: b"\n".join(compact(text_of(event)) for event in events),
    "strings in strings": lambda events: b"\n".join(compact(text_of(text_of(event))) for event in events),
    "strings in a list": lambda events: compact([text_of(event) for event in events]),
    "Kinesis to Lambda": lambda events: compact({"Records": [kinesis(compact(event)) for event in events]}),
    "Kinesis to Lambda, version first": lambda events: compact(
        {"Records": [dict(reversed(kinesis(compact(event)).items())) for event in events]}
    ),
    "Kinesis with CloudWatch Logs": lambda events: compact(
        {"Records": [kinesis(gzip.compress(compact(log_events(events))))]}
    ),
    "Kinesis, get-records": lambda events: compact(
        {"Records": [{"SequenceNumber": "1", "Data": b64(compact(e)), "PartitionKey": "p"} for e in events]}
    ),
    "Firehose": lambda events: compact(
        {"invocationId": "i", "records": [{"recordId": "1", "data": b64(compact(event))} for event in events]}
    ),
    "Firehose by HTTP": lambda events: compact(
        {"requestId": "i", "timestamp": 1, "records": [{"data": b64(ndjson(events))}]}
    ),
    "Firehose with CloudWatch Logs": lambda events: b"".join(compact(log_events([event])) for event in events),
    "SNS": lambda events: b"\n".join(compact(notified(event)) for event in events),
    "SNS to Lambda": lambda events: compact(
        {"Records": [{"EventSource": "aws:sns", "EventVersion": "1.0", "Sns": notified(e)} for e in events]}
    ),
    "SQS": lambda events: compact(
        {"Messages": [{"MessageId": "m", "ReceiptHandle": "r", "Body": text_of(event)} for event in events]}
    ),
    "SQS to Lambda": lambda events: compact(
        {"Records": [{"messageId": "m", "eventSource": "aws:sqs", "body": text_of(event)} for event in events]}
    ),
    "SQS with SNS with EventBridge": lambda events: compact(
        {"Messages": [{"MessageId": "m", "Body": text_of(notified(bridged(event)))} for event in events]}
    ),
    "SQS with SNS with records": lambda events: compact(
        {"Messages": [{"MessageId": "m", "Body": text_of(notified({"Records": events}))}]}
    ),
    "elasticdump of ours": lambda events: b"\n".join(
        compact(hit(document, n)) for n, document in enumerate(documents(events))
    ),
    "search's answer with ours": lambda events: compact(
        {"took": 1, "hits": {"total": {"value": 1}, "hits": [hit(d, n) for n, d in enumerate(documents(events))]}}
    ),
    "elasticdump of events": lambda events: b"\n".join(compact(hit(event, n)) for n, event in enumerate(events)),
    "elasticdump of Filebeat": lambda events: b"\n".join(compact(hit(filebeat(e), 1)) for e in events),
    "elasticdump of the quarantine": lambda events: b"\n".join(compact(hit(quarantined(e), 1)) for e in events),
    "bulk request of ours": bulk,
}
"""Each gives back the events, and nothing around them."""

STAGED_SPELLINGS: dict[str, Spelling] = {
    "staged": lambda events: b"\n".join(map(staged, events)),
    "staged, joined": lambda events: b"".join(map(staged, events)),
    "lookup-events": lambda events: compact(
        {"Events": [looked_up(event, "2026-11-20T10:00:00+00:00") for event in events], "NextToken": "t"}
    ),
    "lookup-events, pretty": lambda events: pretty(
        {"Events": [looked_up(event, "2026-11-20T12:00:00+02:00") for event in events]}
    ),
    "lookup-events, epoch": lambda events: compact(
        {"Events": [looked_up(event, TIME.timestamp()) for event in events]}
    ),
    "lookup-events, elements": lambda events: b"\n".join(
        compact(looked_up(event, "2026-11-20T10:00:00+00:00")) for event in events
    ),
    "SNS with lookup-events": lambda events: compact(
        notified({"Events": [looked_up(event, TIME.timestamp()) for event in events]})
    ),
}
"""Each gives back the events with what LookupEvents wrote around them."""
