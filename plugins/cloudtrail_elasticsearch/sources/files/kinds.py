"""Detects the kind of a JSON object by its names: an event, a wrapper around events, or another kind."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from cloudtrail_elasticsearch.core.encoding import codec, typed

_NAMES_OF_EVENTS: Final = frozenset({"eventID", "eventId", "eventName", "eventTime"})
_ACTIONS: Final = frozenset({"index", "create", "update", "delete"})
_SUBSCRIPTIONS: Final = ("SubscriptionConfirmation", "UnsubscribeConfirmation")

LAKE: Final = "rows of CloudTrail Lake or Athena"
OCSF: Final = "OCSF events"

NOT_SUPPORTED: Final = {
    LAKE: "rows of CloudTrail Lake or Athena are not supported: load the files that the trail delivered",
    OCSF: "events in OCSF (Amazon Security Lake) are not supported: load CloudTrail's own events",
}
"""Kinds with events in a form from which the original event cannot be restored."""


class Head:
    """The names of an object, each with the text of its value."""

    def __init__(self, members: Mapping[str, msgspec.Raw | bytes]) -> None:
        self._members = members
        self.names = members.keys()

    def holds_all_of(self, text: bytes) -> bool:
        """Return whether no name occurs twice in the object's text.

        The values are kept as their original text, so the text of an object with a lost name has more quotes.
        """
        written = _write({name: msgspec.Raw(self.text(name)) for name in self.names})
        return text.count(b'"') <= written.count(b'"')

    def text(self, name: str) -> bytes:
        """Return the text of a value; empty if there is no such name."""
        return bytes(self._members.get(name, b""))

    def value(self, name: str) -> Any:
        """Return a value; None if it is missing or cannot be decoded."""
        text = self.text(name)
        try:
            return codec.decode(text) if text else None
        except ValueError:  # not UTF-8: nothing has checked that before
            return None

    def string(self, name: str) -> str | None:
        """Return a value that is a string; None for any other."""
        value = self.value(name) if self.text(name).startswith(b'"') else None
        return value if isinstance(value, str) else None

    def holds_object(self, name: str) -> bool:
        """Return whether a value is an object."""
        return self.text(name).startswith(b"{")

    def inner(self, name: str) -> Head:
        """Return the head of a value; empty if the value is not an object."""
        return read_head(self.text(name)) or Head({})


_read: Final = typed.make_decode(dict[str, msgspec.Raw])
_write: Final = msgspec.json.Encoder().encode


def read_head(text: bytes) -> Head | None:
    """Return the names and values of an object; None if the text is not an object."""
    if not text.startswith(b"{"):
        return None
    try:
        return Head(_read(text))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        # msgspec rejects some texts that the codec reads, such as those with lone surrogates.
        return _read_with_codec(text)


def _read_with_codec(text: bytes) -> Head | None:
    try:
        value = codec.decode(text)
    except ValueError:
        return None
    return Head({name: codec.encode(child) for name, child in value.items()}) if isinstance(value, dict) else None


def encode_text(text: str) -> bytes:
    """Return a text in UTF-8; half a surrogate pair makes it invalid, which its reader reports."""
    return text.encode("utf-8", "surrogatepass")


def is_event(head: Head) -> bool:
    """Return whether an object has one of the names that mark an event."""
    return not _NAMES_OF_EVENTS.isdisjoint(head.names)


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    fits: Callable[[Head], bool]


def is_notification(head: Head) -> bool:
    """Return whether an object is a notification of S3, direct or through EventBridge.

    https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
    """
    own = head.holds_object("s3") and (head.string("eventSource") or "").endswith(":s3")
    test = head.string("Event") == "s3:TestEvent"
    bridged = head.string("source") == "aws.s3" and "bucket" in head.inner("detail").names
    # CloudTrail's own events about S3 have the same source in EventBridge.
    return own or test or (bridged and not is_event(head.inner("detail")))


def _is_action(head: Head) -> bool:
    """https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk"""
    (name, *others) = head.names or ("",)
    if others or name not in _ACTIONS:
        return False
    options = head.inner(name).names
    # A lone member `index` or `update` is not enough: its options must be known, too.
    return head.holds_object(name) and all(key.startswith("_") or key in _ACTION_SETTINGS for key in options)


_ACTION_SETTINGS: Final = frozenset(
    {"routing", "require_alias", "pipeline", "version", "version_type", "retry_on_conflict", "dynamic_templates"}
)


def _is_ocsf(head: Head) -> bool:
    """https://schema.ocsf.io"""
    return "class_uid" in head.names or ("category_uid" in head.names and "metadata" in head.names)


def _is_row(head: Head) -> bool:
    """Return whether it is a row of Athena (which has lower-case names) or Lake (each column is an object)."""
    results = "QueryResultRows" in head.names or "QueryStatus" in head.names or "ResultSet" in head.names
    return results or ("eventname" in head.names and "eventsource" in head.names) or _is_lake_event(head)


def _is_lake_event(head: Head) -> bool:
    return "eventData" in head.names and "metadata" in head.names and not is_event(head)


def _is_subscription(head: Head) -> bool:
    return head.string("Type") in _SUBSCRIPTIONS and "Token" in head.names


def _is_delivery(head: Head) -> bool:
    """https://docs.aws.amazon.com/awscloudtrail/latest/userguide/configure-sns-notifications-for-cloudtrail.html"""
    return "s3Bucket" in head.names and "s3ObjectKey" in head.names


def _is_manifest(head: Head) -> bool:
    """Return whether it is this loader's manifest, which is in the same folder as the parts."""
    return {"account", "region", "start", "end", "parts", "version"} <= head.names


def _is_digest(head: Head) -> bool:
    return "digestStartTime" in head.names or ("digestS3Object" in head.names and "logFiles" in head.names)


ACTION: Final = "bulk action lines"
CONTROL: Final = "CloudWatch Logs control messages"
DELIVERY: Final = "CloudTrail delivery notifications"
# An object can fit several kinds; the first one is used.
_KINDS: Final = (
    _Kind("S3 notifications", is_notification),
    _Kind(ACTION, _is_action),
    _Kind("digest files", _is_digest),
    _Kind("SNS subscription messages", _is_subscription),
    _Kind(DELIVERY, _is_delivery),
    _Kind("manifests of staged events", _is_manifest),
    _Kind(OCSF, _is_ocsf),
    _Kind(LAKE, _is_row),
)


def find_other_kind(head: Head) -> str | None:
    """Return the kind of an object that is neither an event nor a wrapper; None if it may be one of these."""
    return next((kind.name for kind in _KINDS if kind.fits(head)), None)


_COLUMN: Final = re.compile(rb"\bevent_?(?:version|time|source|name|id|json|type)\b", re.IGNORECASE)


def is_table(head: bytes) -> bool:
    """Return whether a text begins with the header of a CSV table of events, from Athena or Lake."""
    line = head.partition(b"\n")[0]
    # A line of JSON has these names, too, but no header of a table has a brace.
    return b"{" not in line and len(_COLUMN.findall(line)) >= 2
