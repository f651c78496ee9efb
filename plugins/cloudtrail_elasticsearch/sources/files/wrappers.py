"""Removes the wrappers that AWS's services and search servers put around events.

A wrapper is detected by the names of an object. It contains one or more texts, each of which is read like a file.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any, Final

from cloudtrail_elasticsearch.core.documents.times import parse_time
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.errors import FileError
from cloudtrail_elasticsearch.sources.files.dumps import read_events
from cloudtrail_elasticsearch.sources.files.kinds import Head, encode_text, is_notification
from cloudtrail_elasticsearch.sources.files.scan import Path
from cloudtrail_elasticsearch.sources.files.split import Containers

_ROWS: Final[dict[Path, bool]] = {
    ("Records",): False,  # CloudTrail's files; what Lambda gets from Kinesis, SNS and SQS
    ("Events",): False,  # aws cloudtrail lookup-events
    ("logEvents",): False,  # a subscription of CloudWatch Logs
    ("events",): False,  # aws logs filter-log-events, get-log-events
    ("results",): True,  # aws logs get-query-results
    ("records",): False,  # Firehose
    ("Messages",): False,  # aws sqs receive-message
    ("Entries",): False,  # aws events put-events
    ("hits", "hits"): False,  # a search's answer
    ("QueryResultRows",): True,  # aws cloudtrail get-query-results
    ("ResultSet", "Rows"): True,  # aws athena get-query-results
}
CONTAINERS: Final = Containers(_ROWS)
DOCUMENT_CONTAINERS: Final = Containers({("hits", "hits"): False})
NAMES: Final = tuple(path[0] for path in _ROWS if len(path) == 1)
TABLES: Final = frozenset({("QueryResultRows",), ("ResultSet", "Rows")})

_Texts = list[bytes] | None


def open_wrapper(head: Head) -> tuple[str, list[bytes]] | None:
    """Return the name of a wrapper and the texts in it; None if the object is not a wrapper.

    :raises FileError: its content cannot be decoded
    """
    for name, opened in _WRAPPERS:
        texts = opened(head)
        if texts is not None:
            return name, texts
    return None


def _open_lookup(head: Head) -> _Texts:
    """``aws cloudtrail lookup-events``: the event as this loader stages it, with the fields around it."""
    text = head.string("CloudTrailEvent")
    if text is None:
        return None
    lookup = {name: head.value(name) for name in head.names if name != "CloudTrailEvent"}
    if "EventTime" in lookup:
        lookup["EventTime"] = _format_time(lookup["EventTime"])
    return [b'{"lookup":%b,"event":%b}' % (codec.encode(lookup), _encode_record(text))]


def _format_time(time: Any) -> Any:
    """Return a time as text; the AWS CLI writes text or epoch seconds, depending on its configuration."""
    try:
        known = datetime.fromtimestamp(time, UTC) if isinstance(time, int | float) else parse_time(time)
    except (ValueError, OverflowError, OSError):
        known = None
    return time if known is None else known.isoformat()


def _encode_record(text: str) -> bytes:
    """Return the text itself if it is a JSON object, else the text as a JSON string."""
    try:
        if isinstance(codec.decode(text), dict):
            return text.strip().encode()
    except ValueError:  # UnicodeEncodeError is one too
        pass
    return codec.encode(text)


def _open_eventbridge(head: Head) -> _Texts:
    """https://docs.aws.amazon.com/eventbridge/latest/ref/overiew-event-structure.html"""
    if {"detail-type", "detail"} <= head.names and head.holds_object("detail") and not is_notification(head):
        return [head.text("detail")]
    detail = head.string("Detail") if "DetailType" in head.names else None
    return None if detail is None else [encode_text(detail)]


def _open_log_event(head: Head) -> _Texts:
    """An event of CloudWatch Logs: from a subscription's message, or from the AWS CLI."""
    message = head.string("message")
    if message is None or "timestamp" not in head.names:
        return None
    return [encode_text(message)]


def _open_subscription(head: Head) -> _Texts:
    """https://docs.aws.amazon.com/AmazonCloudWatch/latest/logs/SubscriptionFilters.html"""
    data = head.inner("awslogs").string("data")
    return None if data is None else [_decode_data(data, "CloudWatch Logs")]


def _open_kinesis(head: Head) -> _Texts:
    data = head.inner("kinesis").string("data")
    if data is None and "PartitionKey" in head.names:
        data = head.string("Data")
    return None if data is None else [_decode_data(data, "Kinesis")]


def _open_firehose(head: Head) -> _Texts:
    data = head.string("data") if "recordId" in head.names or list(head.names) == ["data"] else None
    return None if data is None else [_decode_data(data, "Firehose")]


def _open_sns(head: Head) -> _Texts:
    """A message of SNS, in the form for HTTP and SQS or in the form for Lambda."""
    if head.holds_object("Sns"):
        return [head.text("Sns")]
    is_message = {"Type", "TopicArn"} & head.names and head.string("Type") in ("Notification", None)
    message = head.string("Message") if is_message else None
    return None if message is None else [encode_text(message)]


def _open_sqs(head: Head) -> _Texts:
    """A message of SQS, from the AWS CLI or in the form for Lambda."""
    body = head.string("Body") if {"MessageId", "ReceiptHandle"} & head.names else None
    if body is None and {"messageId", "receiptHandle"} & head.names:
        body = head.string("body")
    return None if body is None else [encode_text(body)]


def _open_document(head: Head) -> _Texts:
    return read_events(head.text("_source")) if head.holds_object("_source") else None


_WRAPPERS: Final[tuple[tuple[str, Callable[[Head], _Texts]], ...]] = (
    ("lookup-events", _open_lookup),
    ("EventBridge", _open_eventbridge),
    ("CloudWatch Logs", _open_subscription),
    ("CloudWatch Logs event", _open_log_event),
    ("Kinesis", _open_kinesis),
    ("Firehose", _open_firehose),
    ("SNS", _open_sns),
    ("SQS", _open_sqs),
    ("search document", _open_document),
)


def _decode_data(data: str, service: str) -> bytes:
    """Return the bytes of a Base64 text; JSON text is returned unchanged."""
    if data.lstrip()[:1] in ("{", "["):
        return encode_text(data)
    try:
        # Base64 can be wrapped in lines.
        return base64.b64decode("".join(data.split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise FileError(f"the data of a {service} record is not Base64: it is cut short or damaged") from error


def read_query_row(row: Any) -> bytes | None:
    """Return the message of a row of CloudWatch Logs Insights; None if it has none."""
    if not isinstance(row, list):
        return None
    fields = {cell.get("field"): cell.get("value") for cell in row if isinstance(cell, dict)}
    message = fields.get("@message")
    return encode_text(message) if isinstance(message, str) else None
