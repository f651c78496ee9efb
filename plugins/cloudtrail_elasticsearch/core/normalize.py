"""From an event to the document that is indexed for it, and back.

Every value is put where the server cannot refuse it, by its own shape and what is declared, never by what
came before:

- a value that fits its declared field stays under its own path;
- a value that a rule changes is changed, and the change noted under ``normalization``;
- everything else goes, under its own path, to ``overflow``, one flat field that takes any shape;
- what no field can index (a text past 32,766 bytes, a lone surrogate, NaN, more than 60 levels) is kept in
  ``unindexed`` as JSON text, with its path.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from ipaddress import ip_address
from typing import Any, Final

from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.events import Event, document_id, event_time, parse_time
from cloudtrail_elasticsearch.core.rules import undo
from cloudtrail_elasticsearch.core.shape import Kind, Node, Shape

MAX_TERM_BYTES: Final = 32_766
"""Lucene's longest term, in UTF-8; the servers refuse a document with a longer one."""

SAFE_CHARACTERS: Final = 4_096
"""A text of so many characters cannot reach the limit, however it is encoded and whatever its path."""

MAX_PATH_BYTES: Final = 8_000
MAX_DEPTH: Final = 60

DERIVED: Final = ("@timestamp", "source", "lookup", "overflow", "unindexed", "normalization")
"""Top-level names that the loader adds; an event's own values under them stand in ``overflow``."""

_MISSING: Final = object()


@dataclass(frozen=True, slots=True)
class Document:
    """What is indexed for an event."""

    id: str
    time: datetime | None
    source: dict[str, Any]


class Normalizer:
    """Makes documents of events; holds what is declared, and nothing of the events it has seen."""

    def __init__(self, shape: Shape) -> None:
        self._root = shape.root

    def document(self, event: Event) -> Document:
        """Return the document for an event. Never raises: every shape has a place."""
        placing = _Placing()
        source, overflow = placing.object(event.record, self._root)
        source = {} if source is _MISSING else source
        time = event_time(event)
        if time is not None:
            source["@timestamp"] = time.isoformat().replace("+00:00", "Z")
        address = event.record.get("sourceIPAddress")
        if isinstance(address, str) and is_address(address):
            source["source"] = {"ip": address}
        if event.lookup:
            source["lookup"] = _lookup(event.lookup)
        if overflow is not _MISSING:
            source["overflow"] = overflow
        if placing.unindexed:
            source["unindexed"] = placing.unindexed
        if placing.changes:
            rules = sorted({change["rule"] for change in placing.changes})
            source["normalization"] = {"rules": rules, "changes": placing.changes}
        return Document(document_id(event), time, source)

    def public_line(self, event: Event, line: bytes) -> bytes:
        """Return the event's line as it may be shown: where rules take something out for good, without it."""
        source = self.document(event).source
        record = restore(source)
        if record == event.record and source.get("lookup", {}) == _lookup(event.lookup):
            return line
        named = {name: event.lookup[name] for name in ("EventId", "EventTime") if name in event.lookup}
        return codec.encode({"lookup": named, "event": record})


@lru_cache(maxsize=4096)
def is_address(text: str) -> bool:
    """Whether an ip field takes the text: IPv4 or IPv6, without a zone."""
    try:
        return getattr(ip_address(text), "scope_id", None) is None
    except ValueError:
        return False


def _lookup(lookup: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if lookup.get("Username"):
        found["username"] = lookup["Username"]
    if lookup.get("Resources"):
        found["resources"] = [
            {"name": resource.get("ResourceName"), "type": resource.get("ResourceType")}
            for resource in lookup["Resources"]
        ]
    return found


class _Placing:
    """The placing of one event: walks it once and parts it into what is declared and what is not."""

    __slots__ = ("_path", "changes", "unindexed")

    def __init__(self) -> None:
        self._path: list[str | int] = []
        self.changes: list[dict[str, Any]] = []
        self.unindexed: list[str] = []

    def object(self, value: dict[str, Any], node: Node) -> tuple[Any, Any]:
        """Return the declared part and the rest of an object; either may be missing."""
        kept: dict[str, Any] = {}
        rest: dict[str, Any] = {}
        children = node.children
        path = self._path
        for key, child in value.items():
            known = children.get(key)
            path.append(key)
            if known is not None:
                placed, other = self.value(child, known)
                if placed is not _MISSING:
                    kept[key] = placed
            else:
                other = self.flat(child) if self._storable_key(key) else self._unindexed(child)
            if other is not _MISSING:
                rest[key] = other
            path.pop()
        if not rest:
            return kept, _MISSING
        return kept or _MISSING, rest

    def value(self, value: Any, node: Node) -> tuple[Any, Any]:
        """Return the part of a value that fits its node, and the rest."""
        rule = node.rule
        if rule is not None and rule.applies(value):
            return self._change(value, node)
        kind = node.kind
        if isinstance(value, list):
            return self._list(value, node)
        if isinstance(value, dict):
            if kind is Kind.OBJECT:
                return self.object(value, node)
            if kind is Kind.FLAT:
                return self.flat(value), _MISSING
        elif value is None or _fits(value, kind):
            placed = self.scalar(value)
            return placed, _MISSING
        return _MISSING, self.flat(value)

    def _change(self, value: Any, node: Node) -> tuple[Any, Any]:
        rule = node.rule
        assert rule is not None  # noqa: S101 - the caller asked it
        changed, step = rule.change(value)
        self.changes.append({"rule": rule.rule.name, "at": list(self._path), **step})
        if isinstance(changed, dict):
            return self.object(changed, node) if node.kind is Kind.OBJECT else (self.flat(changed), _MISSING)
        return self.scalar(changed), _MISSING

    def _list(self, value: list[Any], node: Node) -> tuple[Any, Any]:
        """Part a list element by element; both parts keep its length, with null where the other has the value."""
        if node.kind is Kind.FLAT:
            return _MISSING, self.flat(value)
        parts = []
        for index, element in enumerate(value):
            self._path.append(index)
            parts.append(self.value(element, node))
            self._path.pop()
        kept = [None if part is _MISSING else part for part, _ in parts]
        if all(rest is _MISSING for _, rest in parts):
            return kept, _MISSING
        others = [None if rest is _MISSING else rest for _, rest in parts]
        if all(part is _MISSING for part, _ in parts):
            return _MISSING, others
        return kept, others

    def flat(self, value: Any) -> Any:
        """Return a value as a flat field takes it; what it cannot take is moved to `unindexed`."""
        if isinstance(value, dict):
            if len(self._path) > MAX_DEPTH:
                return self._unindexed(value)
            return self._flat_object(value)
        if isinstance(value, list):
            if len(self._path) > MAX_DEPTH:
                return self._unindexed(value)
            return self._flat_list(value)
        return self.scalar(value)

    def _flat_object(self, value: dict[str, Any]) -> dict[str, Any]:
        placed = {}
        for key, child in value.items():
            self._path.append(key)
            part = self.flat(child) if self._storable_key(key) else self._unindexed(child)
            self._path.pop()
            if part is not _MISSING:
                placed[key] = part
        return placed

    def _flat_list(self, value: list[Any]) -> list[Any]:
        placed = []
        for index, element in enumerate(value):
            self._path.append(index)
            part = self.flat(element)
            placed.append(None if part is _MISSING else part)
            self._path.pop()
        return placed

    def scalar(self, value: Any) -> Any:
        """Return a text, number, boolean or null, or move it to `unindexed` where no field can hold it."""
        if isinstance(value, str):
            if len(value) <= SAFE_CHARACTERS and value.isascii():
                return value
            return value if self._fits_a_term(value) else self._unindexed(value)
        if isinstance(value, float) and not math.isfinite(value):
            return self._unindexed(value)
        return value

    def _fits_a_term(self, text: str) -> bool:
        size = _utf8_size(text)
        return size is not None and size + self._path_bytes() < MAX_TERM_BYTES

    def _storable_key(self, key: str) -> bool:
        if len(key) <= 64 and key.isascii():
            return True
        return _utf8_size(key) is not None and self._path_bytes() <= MAX_PATH_BYTES

    def _path_bytes(self) -> int:
        """The most that the path can add to a term, with the names the server puts before it."""
        return 64 + sum(1 + (_utf8_size(part) or 0) for part in self._path if isinstance(part, str))

    def _unindexed(self, value: Any) -> Any:
        self.unindexed.append(set_aside(self._path, value))
        return _MISSING


def set_aside(at: list[str | int], value: Any) -> str:
    """Return an entry of ``unindexed``: a value and where it belongs; at no path, it is a part of the whole."""
    return codec.canonical({"at": at, "value": value}).decode()


def _utf8_size(text: str) -> int | None:
    """The length of a text in UTF-8, or None where it has none because of a lone surrogate."""
    if text.isascii():
        return len(text)
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return None


def _fits(value: Any, kind: Kind) -> bool:
    """Whether a field of this kind takes the scalar."""
    if kind is Kind.KEYWORD:
        return True
    if kind is Kind.BOOLEAN:
        return isinstance(value, bool)
    return kind is Kind.DATE and parse_time(value) is not None


def restore(source: dict[str, Any]) -> dict[str, Any]:
    """Return the event that a document was made of."""
    kept = {name: value for name, value in source.items() if name not in DERIVED}
    event: dict[str, Any] = merge(kept, source.get("overflow", {}))
    entries = [codec.decode(text) for text in source.get("unindexed", ())]
    for entry in sorted(entries, key=lambda entry: len(entry["at"])):
        if entry["at"]:
            _put(event, entry["at"], entry["value"])
        else:
            event = merge(event, entry["value"])
    for change in reversed(source.get("normalization", {}).get("changes", ())):
        _put(event, change["at"], undo(_get(event, change["at"]), change))
    return event


def merge(kept: Any, rest: Any) -> Any:
    """Return the value whose two parts these are; either may be null where the other has the value."""
    if isinstance(kept, dict) and isinstance(rest, dict):
        both = {name: merge(kept[name], rest[name]) for name in kept.keys() & rest.keys()}
        return kept | rest | both
    if isinstance(kept, list) and isinstance(rest, list):
        return [merge(left, right) for left, right in zip(kept, rest, strict=True)]
    return rest if kept is None else kept


def _get(value: Any, path: list[Any]) -> Any:
    for step in path:
        value = value[step]
    return value


def _put(value: Any, path: list[Any], new: Any) -> None:
    *parents, last = path
    _get(value, parents)[last] = new
