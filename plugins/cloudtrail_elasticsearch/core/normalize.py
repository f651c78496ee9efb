"""From an event to the document that is indexed for it, and back.

Every value is put where the server cannot refuse it, by its own shape and what is declared, never by what
came before:

- a value that fits its declared field stays under its own path;
- a value that a rule changes is changed, and the change noted under ``normalization``;
- everything else goes, under its own path, to ``overflow``, one flat field that takes any shape;
- what no field can index (a text past 32,766 bytes, a lone surrogate, more than 60 levels) is kept in
  ``unindexed`` as JSON text, with its path, and found by its SHA-256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Set
from copy import deepcopy
from datetime import datetime
from decimal import Decimal
from functools import lru_cache
from itertools import filterfalse
from typing import Any, Final, TypeAlias

import msgspec

from cloudtrail_elasticsearch.core import codec, ecs, own
from cloudtrail_elasticsearch.core.changes import MOVES, Drop, Parse, Rename, undo
from cloudtrail_elasticsearch.core.envelope import caller, closed_type, open_objects
from cloudtrail_elasticsearch.core.events import (
    PLAIN_BYTES,
    Event,
    document_id,
    event_time,
    is_usual_time,
    parse_time,
)
from cloudtrail_elasticsearch.core.flat import SAFE_DEPTH, SAFE_NAME, SAFE_TYPES, is_flat, is_plain, is_shallow
from cloudtrail_elasticsearch.core.own import OwnEvents
from cloudtrail_elasticsearch.core.rules import LOOKUP, Rule
from cloudtrail_elasticsearch.core.shape import Kind, Node, Shape

MAX_TERM_BYTES: Final = 32_766
"""Lucene's longest term, in UTF-8; the servers refuse a document with a longer one."""

MAX_PATH_BYTES: Final = 8_000
MAX_DEPTH: Final = 60

DERIVED: Final = frozenset({"@timestamp", LOOKUP, "overflow", "unindexed", "normalization", "tags", *ecs.OBJECTS})
"""Top-level names that the loader adds; an event's own values under them stand in ``overflow``."""

MISSING: Final = object()
"""Stands for the part of a value that there is not."""

# The members of an enum are slow to look up.
_OBJECT, _KEYWORD, _BOOLEAN, _DATE = Kind.OBJECT, Kind.KEYWORD, Kind.BOOLEAN, Kind.DATE
_FLAT, _UNMAPPED = Kind.FLAT, Kind.UNMAPPED
_WHOLE: Final = (_FLAT, _UNMAPPED)
_NONE: Final[frozenset[type]] = frozenset()
_NO_CHILDREN: Final[dict[str, Node]] = {}
_NO_RULES: Final[Set[str]] = frozenset()

_Placed: TypeAlias = tuple[dict[str, Any], Any, ecs.Caller, datetime | None]
"""The declared part of an event, the rest, who made the call, and when."""


class Document(msgspec.Struct, frozen=True):
    """What is indexed for an event."""

    id: str
    time: datetime | None
    source: dict[str, Any]


class Normalizer:
    """Makes documents of events; holds what is declared, and nothing of the events it has seen."""

    def __init__(self, shape: Shape, own_events: OwnEvents = OwnEvents.KEEP) -> None:
        self._shape = shape
        self._root = shape.root
        self._marks = own_events is OwnEvents.MARK
        self._describe = lru_cache(maxsize=ecs.CALLERS)(ecs.describe if shape.ecs else ecs.locate)
        self._closed_type = closed_type(shape)
        self._open = tuple(open_objects(shape).items())
        self._declared = frozenset({*self._closed_type.__struct_fields__, *dict(self._open)})
        self._moves = any(
            isinstance(rule.change, MOVES) for node in self._root.children.values() for rule in node.rules
        )

    def document(self, event: Event) -> Document:
        """Return the document for an event. Never raises: every shape has a place."""
        placing = Placing(event.is_plain)
        envelope = self._fitting(event)
        if envelope is None:
            source, overflow, calling, time = self._taken_apart(event, placing)
        else:
            source, overflow, calling, time = self._opened(event, envelope, placing)
        source |= self._describe(calling)
        rules = _NO_RULES
        if event.lookup:
            around, rules = self._around(event.lookup, event.is_plain)
            if around:
                source[LOOKUP] = around
        if overflow is not MISSING or placing.changes or placing.unindexed or rules:
            source |= placing.told(overflow, rules)
        if self._marks and own.is_own(event.record):
            source["tags"] = [own.TAG]
        return Document(document_id(event), time, source)

    def _taken_apart(self, event: Event, placing: Placing) -> _Placed:
        """Place all of an event."""
        record = event.record
        placed, overflow = placing.object(record, self._root)
        source = {} if placed is MISSING else record.copy() if placed is record else placed
        return source, overflow, ecs.caller(source), _stamp(source, event)

    def _opened(self, event: Event, envelope: Any, placing: Placing) -> _Placed:
        """Place what is beside the envelope, which fits."""
        record = event.record
        source = record.copy()
        opened: dict[str, Any] = {}
        overflow: dict[str, Any] = {}
        for name, node in self._open:
            value = record.get(name)
            if value is None:
                continue
            placed, rest = placing.member(name, value, node)
            if rest is not MISSING:
                overflow[name] = rest
            if placed is MISSING:
                del source[name]
            else:
                opened[name] = source[name] = placed
        if not self._declared.issuperset(record):
            self._part_undeclared(placing, source, overflow)
        calling = caller(envelope, opened)
        if envelope.eventTime is None:
            return source, overflow or MISSING, calling, _stamp(source, event)
        source["@timestamp"] = record["eventTime"]
        return source, overflow or MISSING, calling, envelope.eventTime

    def _part_undeclared(self, placing: Placing, source: dict[str, Any], overflow: dict[str, Any]) -> None:
        """Move what is not declared from a record to its overflow, but for what rules say of it."""
        others = {name: source.pop(name) for name in [*filterfalse(self._declared.__contains__, source)]}
        placed, rest = placing.object(others, self._root)
        if placed is not MISSING:
            source |= placed
        if rest is not MISSING:
            overflow |= rest

    def _fitting(self, event: Event) -> Any:
        """Return the envelope of a plain event where it fits, so that only what else there is has to be placed.

        Where a rule moves a name or leaves it out, all of the event is looked at: another name may be taken.
        """
        if not event.is_plain or self._moves:
            return None
        try:
            envelope = msgspec.convert(event.record, self._closed_type)
        except msgspec.ValidationError:
            return None
        # Of the spellings of RFC 3339 that were read, this is the one that every server reads, too.
        said = event.record.get("eventTime")
        is_usual = said is None or (len(said) == 20 and said[10] == "T" and said[19] == "Z")
        return envelope if is_usual else None

    def _around(self, lookup: dict[str, Any], is_plain: bool) -> tuple[dict[str, Any], Set[str]]:
        """Return what LookupEvents says beside the event, as it is indexed, and the rules that changed it."""
        placing = Placing(is_plain)
        placed, _ = placing.object(_around(lookup), self._shape.lookup)
        return {} if placed is MISSING else placed, {change["rule"] for change in placing.changes}

    def public_line(self, event: Event, line: bytes) -> bytes:
        """Return the event's line as it may be shown: where rules take something out for good, without it."""
        if not self._shape.secretive:
            return line
        source = self.document(event).source
        record = restore(source)
        if not event.lookup:
            return codec.encode(record)
        named = {name: event.lookup[name] for name in ("EventId", "EventTime") if name in event.lookup}
        return codec.encode({"lookup": named | _as_looked_up(source.get(LOOKUP, {})), "event": record})


def _stamp(source: dict[str, Any], event: Event) -> datetime | None:
    """Note under ``@timestamp`` when an event happened, where it is known, and return it."""
    time = event_time(event)
    if time is not None:
        said = event.record.get("eventTime")
        source["@timestamp"] = said if is_usual_time(said) else time.isoformat().replace("+00:00", "Z")
    return time


def _around(lookup: dict[str, Any]) -> dict[str, Any]:
    """Return what LookupEvents says beside the event itself, under the names it has in a document."""
    found: dict[str, Any] = {}
    if isinstance(username := lookup.get("Username"), str):
        found["username"] = username
    if isinstance(resources := lookup.get("Resources"), list):
        named = [resource for resource in resources if isinstance(resource, dict)]
        found["resources"] = [
            {"name": resource.get("ResourceName"), "type": resource.get("ResourceType")} for resource in named
        ]
    return found


def _as_looked_up(around: dict[str, Any]) -> dict[str, Any]:
    """Return what a document says under ``lookup`` under the names of LookupEvents again."""
    lookup: dict[str, Any] = {}
    if "username" in around:
        lookup["Username"] = around["username"]
    if "resources" in around:
        lookup["Resources"] = [
            {"ResourceName": resource.get("name"), "ResourceType": resource.get("type")}
            for resource in around["resources"]
        ]
    return lookup


class Placing(msgspec.Struct):
    """The placing of one event: walks it once and parts it into what is declared and what is not.

    What fits is handed back as it is, the very same object, so that nothing is copied that need not be.
    """

    is_plain: bool
    """Whether the event is, as `Event.is_plain` says."""
    path: list[str | int] = []
    """Where in the event the walk is."""
    changes: list[dict[str, Any]] = []
    unindexed: list[dict[str, Any]] = []

    def object(self, value: dict[str, Any], node: Node) -> tuple[Any, Any]:
        """Return the declared part and the rest of an object; either may be missing."""
        is_plain, path, children = self.is_plain, self.path, node.children
        takes = node.takes_plain if is_plain else node.takes
        kept = value
        rest: dict[str, Any] = {}
        for key, child in value.items():
            kind = type(child)
            if kind in takes.get(key, _NONE):
                continue
            known = children.get(key)
            name = key
            if known is None and is_plain and self._goes_as_it_is(key, child):
                placed, other = MISSING, child
            else:
                path.append(key)
                if known is None or kind in known.touched:
                    name, placed, other = self._member(key, child, children, (value, kept, rest))
                elif kind is dict and known.kind is _OBJECT:
                    placed, other = self.object(child, known)
                else:
                    placed, other = self.value(child, known)
                path.pop()
            if placed is child and other is MISSING and name is key:
                continue
            if kept is value:
                kept = value.copy()
            del kept[key]
            if placed is not MISSING:
                kept[name] = placed
            if other is not MISSING:
                rest[name] = other
        return kept if kept or not rest else MISSING, rest or MISSING

    def _goes_as_it_is(self, name: str, value: Any) -> bool:
        """Whether a flat field takes a member of the object at hand as it is; the event is plain."""
        if len(name) > SAFE_NAME:
            return False
        return type(value) in SAFE_TYPES or (len(self.path) < SAFE_DEPTH and is_shallow(value))

    def _member(
        self, key: str, value: Any, children: dict[str, Node], taken: tuple[dict[str, Any], ...]
    ) -> tuple[str, Any, Any]:
        """Return the name that a member of an object gets, the part of its value that fits, and the rest.

        :param taken: the objects whose names it cannot get
        """
        known = children.get(key)
        name = key
        if known is not None and known.rules:
            given = self._name(key, value, known, *taken)
            if given is None:
                return key, MISSING, MISSING
            name = given
            known = children.get(name)
        if known is not None:
            return name, *self.value(value, known)
        return name, MISSING, self.flat(value) if self._storable_key(name) else self._unindexed(value)

    def member(self, name: str, value: Any, node: Node) -> tuple[Any, Any]:
        """Return the part of a top-level member that fits its node, and the rest; either may be missing."""
        self.path.append(name)
        placed, rest = self.value(value, node)
        self.path.pop()
        return placed, rest

    def told(self, overflow: Any, rules: Set[str]) -> dict[str, Any]:
        """Return what a document says of what was placed otherwise than it stood.

        :param overflow: the rest of the event, where there is one
        :param rules: the names of rules that changed what stands around it
        """
        told: dict[str, Any] = {}
        if overflow is not MISSING:
            told["overflow"] = overflow
        if self.unindexed:
            told["unindexed"] = self.unindexed
        if rules or self.changes:
            applied = {*rules, *(change["rule"] for change in self.changes)}
            told["normalization"] = {"rules": sorted(applied), "changes": self.changes}
        return told

    def value(self, value: Any, node: Node) -> tuple[Any, Any]:
        """Return the part of a value that fits its node, and the rest."""
        if type(value) in node.touched:
            value = self._changed(value, node)
        kind = node.kind
        if isinstance(value, dict):
            if kind is _OBJECT:
                return self.object(value, node)
            if kind is _FLAT:
                return self._flat_field(value, node)
        elif isinstance(value, list):
            return self._list(value, node)
        elif kind is not _UNMAPPED and (value is None or _fits(value, kind)):
            return self.scalar(value), MISSING
        return MISSING, self._flat(value, node)

    def _name(self, key: str, value: Any, node: Node, *taken: dict[str, Any]) -> str | None:
        """Return the name that a value gets in its object; None where a rule leaves the value out."""
        rule = node.rule_for(value)
        if rule is not None:
            if isinstance(rule.change, Drop):
                self._note(rule, {})
                return None
            if isinstance(rule.change, Rename) and not any(rule.change.to in names for names in taken):
                self.path[-1] = rule.change.to
                self._note(rule, {"from": key})
                return rule.change.to
        return key

    def _changed(self, value: Any, node: Node) -> Any:
        rule = node.rule_for(value)
        if rule is None or isinstance(rule.change, MOVES):
            return value
        changed, note = rule.change.apply(value)
        self._note(rule, {} if node.secretive and isinstance(rule.change, Parse) else note)
        return changed

    def _note(self, rule: Rule, note: dict[str, Any]) -> None:
        do = rule.change.__struct_config__.tag
        self.changes.append({"rule": rule.name, "at": list(self.path), "do": do, **note})

    def _list(self, value: list[Any], node: Node) -> tuple[Any, Any]:
        """Part a list element by element; both parts keep its length, with null where the other has the value."""
        if node.kind in _WHOLE:
            return MISSING, self._flat(value, node)
        if (node.taken_plain if self.is_plain else node.taken).issuperset(map(type, value)):
            return value, MISSING
        path = self.path
        kept: list[Any] = []
        others: list[Any] = []
        is_changed = has_kept = has_others = False
        for index, element in enumerate(value):
            path.append(index)
            placed, other = self.value(element, node)
            path.pop()
            is_changed = is_changed or placed is not element
            has_kept = has_kept or placed is not MISSING
            has_others = has_others or other is not MISSING
            kept.append(None if placed is MISSING else placed)
            others.append(None if other is MISSING else other)
        if not has_others:
            return kept if is_changed else value, MISSING
        return kept if has_kept else MISSING, others

    def _flat_field(self, value: dict[str, Any], node: Node) -> tuple[Any, Any]:
        """Part an object for a flat field of its own: OpenSearch does not find what has a blank name in it."""
        if "" not in value:
            if node.children.keys().isdisjoint(value) and (is_shallow if self.is_plain else is_flat)(value):
                return value, MISSING
            return self._flat_object(value, node), MISSING
        named = {name: child for name, child in value.items() if name}
        return self._flat_object(named, node), self._flat_object({"": value[""]}, node)

    def flat(self, value: Any, node: Node | None = None) -> Any:
        """Return a value as a flat field takes it; what it cannot take is moved to `unindexed`.

        `node` has the rules that stand at its path and below.
        """
        if node is None:
            is_fit = len(self.path) <= SAFE_DEPTH and (is_shallow if self.is_plain else is_flat)(value)
            return value if is_fit else self._flat(value, None)
        if node.rules:
            value = self._changed(value, node)
        return self._flat(value, node)

    def _flat(self, value: Any, node: Node | None) -> Any:
        if isinstance(value, dict):
            if len(self.path) > MAX_DEPTH:
                return self._unindexed(value)
            return self._flat_object(value, node)
        if isinstance(value, list):
            if len(self.path) > MAX_DEPTH:
                return self._unindexed(value)
            return self._flat_list(value, node)
        return self.scalar(value)

    def _flat_object(self, value: dict[str, Any], node: Node | None) -> dict[str, Any]:
        placed: dict[str, Any] = {}
        children = node.children if node is not None else _NO_CHILDREN
        for key, child in value.items():
            known = children.get(key)
            name: str | None = key
            self.path.append(key)
            if known is not None and known.rules:
                name = self._name(key, child, known, value, placed)
                known = children.get(name) if name is not None else None
            if name is not None:
                part = self.flat(child, known) if self._storable_key(name) else self._unindexed(child)
                if part is not MISSING:
                    placed[name] = part
            self.path.pop()
        return placed

    def _flat_list(self, value: list[Any], node: Node | None) -> list[Any]:
        placed = []
        for index, element in enumerate(value):
            self.path.append(index)
            part = self.flat(element, node)
            placed.append(None if part is MISSING else part)
            self.path.pop()
        return placed

    def scalar(self, value: Any) -> Any:
        """Return a text, number, boolean or null, or move it to `unindexed` where no field can hold it."""
        if isinstance(value, str):
            if len(value) <= PLAIN_BYTES and value.isascii():
                return value
            return value if self._fits_a_term(value) else self._unindexed(value)
        if isinstance(value, float) and not is_plain(value):
            return self._both_notations(value)
        return value

    def _both_notations(self, number: float) -> list[float | str]:
        """Return a number with its scientific notation, which the servers make of a number in a search."""
        self.changes.append({"rule": "scientific-notation", "at": list(self.path), "do": "notation"})
        return [number, scientific(number)]

    def _fits_a_term(self, text: str) -> bool:
        size = _utf8_size(text)
        return size is not None and size + self._path_bytes() < MAX_TERM_BYTES

    def _storable_key(self, key: str) -> bool:
        if len(key) <= SAFE_NAME and (self.is_plain or (key.isascii() and key.isprintable())):
            return True
        return "\0" not in key and _utf8_size(key) is not None and self._path_bytes() <= MAX_PATH_BYTES

    def _path_bytes(self) -> int:
        """The most that the path can add to a term, with the names the server puts before it."""
        return 64 + sum(1 + (_utf8_size(part) or 0) for part in self.path if isinstance(part, str))

    def _unindexed(self, value: Any) -> Any:
        self.unindexed.append(set_aside(self.path, value))
        return MISSING


def set_aside(at: list[str | int], value: Any) -> dict[str, Any]:
    """Return an entry of ``unindexed``: a value and where it belongs; at no path, it is a part of the whole."""
    names = ".".join(step for step in at if isinstance(step, str))
    return {
        "path": names.encode("ascii", "backslashreplace")[:MAX_PATH_BYTES].decode(),
        "sha256": [digest(scalar) for scalar in scalars(value)],
        "json": codec.canonical({"at": at, "value": value}).decode(),
    }


def scalars(value: Any) -> Iterator[Any]:
    """Yield every scalar in a value; null is none."""
    if isinstance(value, dict):
        for child in value.values():
            yield from scalars(child)
    elif isinstance(value, list):
        for element in value:
            yield from scalars(element)
    elif value is not None:
        yield value


def scientific(number: float) -> str:
    """Return a number as Java writes it where it is small or great: ``1.648282488418E9``.

    https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/lang/Double.html#toString(double)
    """
    sign, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    first, *others = map(str, digits)
    return f"{'-' * sign}{first}.{''.join(others) or '0'}E{int(exponent) + len(others)}"


def digest(scalar: Any) -> str:
    """Return the name by which a scalar that no field can index is found: the SHA-256 of its text, in UTF-8."""
    text = scalar.encode("utf-8", "surrogatepass") if isinstance(scalar, str) else codec.canonical(scalar)
    return hashlib.sha256(text).hexdigest()


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
    if kind is _KEYWORD:
        return True
    if kind is _BOOLEAN:
        return isinstance(value, bool)
    return kind is _DATE and (is_usual_time(value) or parse_time(value) is not None)


def restore(source: dict[str, Any]) -> dict[str, Any]:
    """Return the event that a document was made of, without what rules masked or dropped."""
    kept = {name: value for name, value in source.items() if name not in DERIVED}
    event: dict[str, Any] = deepcopy(merge(kept, source.get("overflow", {})))
    entries = [codec.decode(aside["json"]) for aside in source.get("unindexed", ())]
    for entry in sorted(entries, key=lambda entry: len(entry["at"])):
        if entry["at"]:
            _put(event, entry["at"], entry["value"])
        else:
            event = merge(event, entry["value"])
    for change in reversed(source.get("normalization", {}).get("changes", ())):
        undo(event, change["at"], change["do"], change)
    return event


def merge(kept: Any, rest: Any) -> Any:
    """Return the value whose two parts these are; either may be null where the other has the value."""
    if isinstance(kept, dict) and isinstance(rest, dict):
        both = {name: merge(kept[name], rest[name]) for name in kept.keys() & rest.keys()}
        return kept | rest | both
    if isinstance(kept, list) and isinstance(rest, list):
        return [merge(left, right) for left, right in zip(kept, rest, strict=True)]
    return rest if kept is None else kept


def _put(value: Any, path: list[Any], new: Any) -> None:
    *parents, last = path
    for step in parents:
        value = value[step]
    value[last] = new
