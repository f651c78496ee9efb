"""Turns the events of a LookupEvents answer into staged lines (docs/adr/0004-staged-lines.md)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.documents.events import UUID, LookedUpEvent, staged_event
from cloudtrail_elasticsearch.core.encoding import codec, typed

# One day inside Python's calendar at both ends, because botocore converts times to the local time zone.
_EARLIEST: Final = datetime(1, 1, 2, tzinfo=UTC).timestamp()
_LATEST: Final = datetime(9999, 12, 30, tzinfo=UTC).timestamp()


# Only the needed members: msgspec checks the others without building values.
class Record(msgspec.Struct):
    """The members of a record that name its window."""

    account: Any = msgspec.field(default=None, name="recipientAccountId")
    region: Any = msgspec.field(default=None, name="awsRegion")


_decode_record: Final = typed.make_decode(Record)


def read_event(event: dict[str, Any], window: Window) -> tuple[LookedUpEvent, bool]:
    """Return the staged form of an answer's event, and whether its record contradicts the window.

    The line has CloudTrail's own text of the record, and the members that LookupEvents wrote around it. If these
    members lack the id or the time, the record has them.
    """
    lookup = event.copy()
    text, record = _read_one_line_object(lookup.pop("CloudTrailEvent", ""))
    time = event.get("EventTime")
    if isinstance(time, datetime):
        time = time.astimezone(UTC)
        lookup["EventTime"] = time.isoformat()
    line = b'{"lookup":%b,"event":%b}' % (codec.encode(lookup), text)
    identifier = event.get("EventId")
    # LookupEvents' own id and time spare a second decoding of the line.
    if isinstance(time, datetime) and isinstance(identifier, str) and UUID(identifier):
        staged = LookedUpEvent(identifier, time, line)
    else:
        staged = staged_event(line)
    return staged, _contradicts_window(record, window)


def _contradicts_window(record: Record, window: Window) -> bool:
    """Return whether a record names another account or region than the window's; a missing name does not count."""
    account, region = record.account, record.region
    return (isinstance(account, str) and account != window.account) or (
        isinstance(region, str) and region != window.region
    )


def parse_events_fast(client: Any) -> None:
    """Make a boto3 client parse the events of LookupEvents' answers here, and leave botocore the rest.

    The events are equal to those of botocore's parser, which takes four times as long. Members of wrong types are
    dropped; botocore would raise ValueError for them. botocore calls such functions before it parses an answer,
    and then adds the members of `customized_response_dict` to the result:
    https://boto3.amazonaws.com/v1/documentation/api/latest/guide/events.html
    """
    events = getattr(getattr(client, "meta", None), "events", None)
    if events is not None:
        # With the id, a second registration on the same client has no effect.
        events.register("before-parse.cloudtrail.LookupEvents", _parse_events, unique_id="lookup-events")


def _parse_events(
    response_dict: dict[str, Any], operation_model: Any, customized_response_dict: dict[str, Any], **_: Any
) -> None:
    # An error answer holds no events.
    if response_dict.get("status_code") != 200:
        return
    try:
        body = codec.decode_answer(response_dict["body"])
    except ValueError:
        return  # botocore's own error describes it
    listed = body.get("Events") if isinstance(body, dict) else None
    if not isinstance(listed, list):
        return
    event = operation_model.output_shape.members["Events"].member
    # The members that this version of botocore knows, in its order.
    names, of_resource = list(event.members), list(event.members["Resources"].member.members)
    customized_response_dict["Events"] = [
        _parse_event(each, names, of_resource) for each in listed if isinstance(each, dict)
    ]
    body["Events"] = []
    response_dict["body"] = codec.encode(body)


def _parse_event(event: dict[str, Any], names: list[str], of_resource: list[str]) -> dict[str, Any]:
    event["EventTime"] = _parse_time(event.get("EventTime"))
    event["Resources"] = _parse_resources(event.get("Resources"), of_resource)
    # botocore omits a member without a value, too.
    return {name: value for name in names if (value := event.get(name)) is not None}


def _parse_resources(value: Any, names: list[str]) -> list[dict[str, Any]] | None:
    if not isinstance(value, list) or not all(isinstance(each, dict) for each in value):
        return None
    return [{name: each[name] for name in names if each.get(name) is not None} for each in value]


def _parse_time(value: Any) -> datetime | None:
    # `type` instead of `isinstance`, because a boolean is an int, too.
    if type(value) in (int, float):
        return datetime.fromtimestamp(value, UTC) if _EARLIEST < value < _LATEST else None
    if not isinstance(value, str):
        return None
    from botocore.utils import parse_timestamp

    try:
        found: datetime = parse_timestamp(value)
    except (ValueError, OverflowError, RuntimeError):
        return None
    return found


def _read_one_line_object(text: Any) -> tuple[bytes, Record]:
    """Return the text and its members if it is a JSON object on one line; otherwise the text as a JSON string."""
    # A line of a part is one event, so a text with a line break cannot be spliced into it (ADR-0004).
    if not isinstance(text, str) or "\n" in text or "\r" in text:
        return codec.encode(text), Record()
    try:
        line = text.encode()
        return line, _decode_record(line)
    except (ValueError, RecursionError):  # UnicodeEncodeError is a ValueError too
        return _read_unusual_text(text)


def _read_unusual_text(text: str) -> tuple[bytes, Record]:
    """Do the same with a text that msgspec rejects."""
    try:
        value = codec.decode(text)
        if isinstance(value, dict | codec.Verbatim):
            return text.encode(), typed.convert(value, Record) if isinstance(value, dict) else Record()
    except ValueError:
        pass
    return codec.encode(text), Record()
