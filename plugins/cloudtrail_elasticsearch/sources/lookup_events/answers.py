"""Turns the events of a LookupEvents answer into staged lines (docs/adr/0004-staged-lines.md)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, Final

from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.documents.events import UUID, LookedUpEvent, staged_event
from cloudtrail_elasticsearch.core.encoding import codec

# One day inside Python's calendar at both ends, because botocore converts times to the local time zone.
_EARLIEST: Final = datetime(1, 1, 2, tzinfo=UTC).timestamp()
_LATEST: Final = datetime(9999, 12, 30, tzinfo=UTC).timestamp()


def read_event(event: dict[str, Any], window: Window) -> tuple[LookedUpEvent, bool]:
    """Return the staged form of an answer's event, and whether its record contradicts the window.

    The line has CloudTrail's own text of the record, and the members that LookupEvents wrote around it. If these
    members lack the id or the time, the record has them.
    """
    lookup = {name: value for name, value in event.items() if name != "CloudTrailEvent"}
    time = _to_utc(event.get("EventTime"))
    if time is not None:
        lookup["EventTime"] = time.isoformat()
    text, record = _read_one_line_object(event.get("CloudTrailEvent", ""))
    line = b'{"lookup":%b,"event":%b}' % (codec.encode(lookup), text)
    identifier = event.get("EventId")
    # LookupEvents' own id and time spare a second decoding of the line.
    if time is not None and isinstance(identifier, str) and UUID(identifier):
        return LookedUpEvent(identifier, time, line), contradicts_window(record, window)
    return staged_event(line), contradicts_window(record, window)


def contradicts_window(record: dict[str, Any], window: Window) -> bool:
    """Return whether a record names another account or region than the window's; a missing name does not count."""
    return any(
        isinstance(value := record.get(name), str) and value != expected
        for name, expected in (("recipientAccountId", window.account), ("awsRegion", window.region))
    )


def accept_odd_events(client: Any) -> None:
    """Make a boto3 client drop members of events that botocore cannot parse, instead of raising ValueError."""
    events = getattr(getattr(client, "meta", None), "events", None)
    if events is not None:
        # With the id, a second registration on the same client has no effect.
        events.register("before-parse.cloudtrail.LookupEvents", _drop_unreadable, unique_id="odd-lookup-events")


def _drop_unreadable(response_dict: dict[str, Any], **_: Any) -> None:
    """Rewrite an answer that has members of wrong types; other answers stay unchanged."""
    # An error answer holds no events.
    if response_dict.get("status_code") != 200:
        return
    try:
        body = codec.decode_answer(response_dict["body"])
    except ValueError:
        return  # botocore's own error describes it
    listed = body.get("Events") if isinstance(body, dict) else None
    if not isinstance(listed, list) or all(map(_is_readable, listed)):
        return
    body["Events"] = [_keep_readable_members(event) for event in listed if isinstance(event, dict)]
    response_dict["body"] = codec.encode(body)


def _is_readable(event: Any) -> bool:
    if not isinstance(event, dict):
        return False
    resources = event.get("Resources")
    return _is_readable_time(event.get("EventTime")) and (resources is None or _is_readable_list(resources))


def _is_readable_list(value: Any) -> bool:
    return isinstance(value, list) and all(isinstance(each, dict) for each in value)


def _keep_readable_members(event: dict[str, Any]) -> dict[str, Any]:
    checks = {"EventTime": _is_readable_time, "Resources": _is_readable_list}
    return {name: value for name, value in event.items() if name not in checks or checks[name](value)}


def _is_readable_time(value: Any) -> bool:
    from botocore.utils import parse_timestamp

    # `type` instead of `isinstance`, because a boolean is an int, too.
    if type(value) in (int, float):
        return bool(_EARLIEST < value < _LATEST)
    try:
        return value is None or (isinstance(value, str) and parse_timestamp(value) is not None)
    except (ValueError, OverflowError, RuntimeError):
        return False


def _to_utc(value: Any) -> datetime | None:
    return value.astimezone(UTC) if isinstance(value, datetime) else None


def _read_one_line_object(text: Any) -> tuple[bytes, dict[str, Any]]:
    """Return the text and its value if it is a JSON object on one line; otherwise the text as a JSON string."""
    # A line of a part is one event, so a text with a line break cannot be spliced into it (ADR-0004).
    if not isinstance(text, str):
        return codec.encode(text), {}
    try:
        value = None if "\n" in text or "\r" in text else codec.decode(text)
        if isinstance(value, dict | codec.Verbatim):
            return text.encode(), value if isinstance(value, dict) else {}
    except ValueError:  # UnicodeEncodeError is a ValueError too
        pass
    return codec.encode(text), {}
