"""From an event to its document.

Every value goes to a place where no server rejects it. The place follows from the value and the schema alone,
never from the events that came before (ADR-0001), nor from what LookupEvents returned beside it (ADR-0019):

- a value that fits its declared field stays under its own path;
- a value that a rule changes is changed, and the change is recorded under ``normalization``;
- every other value goes, under its own path, to ``overflow``, one flat field that takes any value;
- a value that no field can index (a text over 32,766 bytes, a lone surrogate, more than 60 levels, an object with
  a repeated name) is kept in ``unindexed`` as JSON text, with its path, and is found by its SHA-256.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import msgspec

from cloudtrail_elasticsearch.core.documents import ecs, own_events
from cloudtrail_elasticsearch.core.documents.cached_ecs import CachedEcs
from cloudtrail_elasticsearch.core.documents.declared_fields import OPEN_OBJECTS
from cloudtrail_elasticsearch.core.documents.events import Event, document_id, event_time, read_object
from cloudtrail_elasticsearch.core.documents.own_events import OwnEvents
from cloudtrail_elasticsearch.core.documents.parts import MISSING, merge
from cloudtrail_elasticsearch.core.documents.placing import Placing
from cloudtrail_elasticsearch.core.documents.restore import restore
from cloudtrail_elasticsearch.core.documents.schema import Schema
from cloudtrail_elasticsearch.core.documents.texts import TEXTS, make_texts, sort_members
from cloudtrail_elasticsearch.core.encoding import codec


class Document(msgspec.Struct, frozen=True):
    """The document of an event, before it is encoded."""

    id: str
    time: datetime | None
    """When the event happened, in UTC."""
    source: dict[str, Any]


class Normalizer:
    """Makes documents from events by a schema; keeps nothing of the events."""

    def __init__(self, schema: Schema, own_events: OwnEvents = OwnEvents.KEEP) -> None:
        self._schema = schema
        self._marks_own = own_events is OwnEvents.MARK
        self._ecs = CachedEcs(schema, dict)

    def document(self, event: Event) -> Document:
        """Return the document of an event. Raises nothing: every value has a place."""
        record = event.record
        placing = Placing(has_short_texts=event.has_short_texts)
        placed, overflow = placing.place_object(record, self._schema.root)
        # The walk returns the record itself if nothing changed, and the event must stay as it is.
        source: Any = {} if placed is MISSING else record.copy() if placed is record else placed
        for name, value in event.earlier:
            placing.place_earlier(name, value, self._schema.root)
        # The order of the fast path, so that equal events make equal bytes.
        described, described_event = self._describe(source)
        source |= described
        time = event_time(event)
        if time is not None:
            # As CloudTrail writes it, because the fast path takes the event's own text.
            source["@timestamp"] = time.isoformat().replace("+00:00", "Z")
        if overflow is not MISSING or placing.changes or placing.unindexed:
            source |= placing.added_fields(overflow)
        if self._marks_own and own_events.is_own(record):
            source["tags"] = [own_events.TAG]
        if self._schema.texts and (texts := _describe_texts(record, source, placing)):
            source[TEXTS] = texts
        # Last, because the time of sending is appended to the text of a document (ADR-0023).
        source |= described_event
        return Document(document_id(event), time, source)

    def _describe(self, source: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the ECS fields of a document, with ``event`` apart."""
        found = self._ecs
        described = dict(found.describe_address(ecs.read_text(source, "sourceIPAddress")))
        if not self._schema.ecs:
            return described, {}
        described |= found.describe_caller(*ecs.read_caller(source))
        described |= found.describe_user_agent(ecs.read_text(source, "userAgent"))
        call, event = found.describe_call(*ecs.read_call(source))
        described |= call
        if source.get("eventName") == ecs.SIGN_IN:
            described |= ecs.describe_sign_in(read_object(source, "additionalEventData"))
        return described, event

    def public_line(self, event: Event, line: bytes) -> bytes:
        """Return the event's line without the values that rules mask or drop."""
        # Nothing is hidden, so the line stays as it is, byte for byte.
        if not self._schema.secretive:
            return line
        record = restore(self.document(event).source)
        if not event.lookup:
            return codec.encode(record)
        # The user name and the resources repeat values of the record, which rules may remove. A replay needs the
        # id and the time of an object that only LookupEvents makes an event.
        named = {name: event.lookup[name] for name in ("EventId", "EventTime") if name in event.lookup}
        return codec.encode({"lookup": named, "event": record})


def _describe_texts(record: dict[str, Any], source: dict[str, Any], placing: Placing) -> dict[str, str]:
    """Return the texts of the open objects, with the event's own values if the document has others.

    They have no values that rules mask or drop.
    """
    if not (placing.changes or placing.unindexed):
        return make_texts(record)
    event: Any = restore(source)
    if not isinstance(event, dict):
        event = merge(source, source.get("overflow", {}))
    return make_texts({name: sort_members(event.get(name), record.get(name)) for name in OPEN_OBJECTS})
