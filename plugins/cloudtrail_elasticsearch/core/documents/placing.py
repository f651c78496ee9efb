"""The walk: parts an event into the values that fit their declared fields and the rest."""

from __future__ import annotations

from typing import Any, Final

from cloudtrail_elasticsearch.core.documents.declared_fields import Kind
from cloudtrail_elasticsearch.core.documents.events import SHORT_TEXT
from cloudtrail_elasticsearch.core.documents.flat_field import (
    SAFE_DEPTH,
    SAFE_NAME,
    is_flat,
    is_flat_scalar,
)
from cloudtrail_elasticsearch.core.documents.flat_placing import MAX_DEPTH, FlatPlacing
from cloudtrail_elasticsearch.core.documents.parts import MISSING, Part, Parts
from cloudtrail_elasticsearch.core.documents.schema import Node
from cloudtrail_elasticsearch.core.documents.times import parse_time
from cloudtrail_elasticsearch.core.encoding.codec import Json, Verbatim

MAX_EXACT: Final = 2**53
"""A double holds every whole number up to this one."""

# Members of an enum are slow to look up.
_OBJECT, _KEYWORD, _BOOLEAN, _DATE = Kind.OBJECT, Kind.KEYWORD, Kind.BOOLEAN, Kind.DATE
_NUMBER, _FLAT, _UNMAPPED = Kind.NUMBER, Kind.FLAT, Kind.UNMAPPED
_UNDIVIDED: Final = (_FLAT, _UNMAPPED)
_NO_TYPES: Final[frozenset[type]] = frozenset()


def takes_whole(node: Node, value: dict[str, Any]) -> bool:
    """Whether a node takes an object as it is; a yes is certain if a flat field takes the object, too.

    Most open objects need no more than this check.
    """
    children = node.children
    if node.kind is _FLAT:
        return "" not in value and children.keys().isdisjoint(value)
    takes = node.takes
    for name, child in value.items():
        kind = type(child)
        if kind in takes.get(name, _NO_TYPES):
            continue
        known = children.get(name)
        if known is None or kind in known.touched or known.kind in _UNDIVIDED:
            return False
        if kind is list:
            for element in child:
                if type(element) not in known.taken and not (
                    type(element) is dict
                    and known.kind is _OBJECT
                    and dict not in known.touched
                    and takes_whole(known, element)
                ):
                    return False
        elif kind is not dict or known.kind is not _OBJECT or not takes_whole(known, child):
            return False
    return True


class Placing(FlatPlacing):
    """The walk through one event. Each value is visited once.

    A value that fits is returned as it is, the very same object, so that only what changes is copied.
    """

    def place_object(self, value: dict[str, Json], node: Node) -> Parts:  # noqa: C901, PLR0912 - calls are slow
        """Part an object."""
        path, children, takes, is_short = self.path, node.children, node.takes, self.has_short_texts
        kept = value
        rest: dict[str, Json] = {}
        placed: Part
        other: Part
        child: Any  # its type is looked up once, not narrowed
        for key, child in value.items():
            kind = type(child)
            # Most members end here: the declared field takes every value of the type, or every short text.
            if kind in takes.get(key, _NO_TYPES) and (
                is_short or kind is not str or (len(child) <= SHORT_TEXT and child.isascii())
            ):
                continue
            known = children.get(key)
            name = key
            if known is None and self._goes_to_overflow(key, child):
                placed, other = MISSING, child
            else:
                path.append(key)
                if known is None or kind in known.touched:
                    name, placed, other = self._place_named(key, child, children, (value, kept, rest))
                elif kind is dict and known.kind is _OBJECT:
                    placed, other = self.place_object(child, known)
                elif kind is list:
                    placed, other = self._place_list(child, known)
                else:
                    placed, other = self.place_value(child, known)
                path.pop()
                if placed is child and other is MISSING and name is key:
                    continue
            # Copied only at the first change: the event itself must stay as it is.
            if kept is value:
                kept = value.copy()
            # A member that keeps its name keeps its place, as it does on the fast path.
            if name is not key or placed is MISSING:
                del kept[key]
            if placed is not MISSING:
                kept[name] = placed
            if other is not MISSING:
                rest[name] = other
        # `{}` in the event stays; an object whose members all went to the rest leaves nothing here.
        return kept if kept or not rest else MISSING, rest or MISSING

    def place_member(self, name: str, value: Json, node: Node) -> Parts:
        """Part the value of a top-level name."""
        self.path.append(name)
        parts = self.place_value(value, node)
        self.path.pop()
        return parts

    def place_value(self, value: Json, node: Node) -> Parts:
        """Part any value."""
        # First, because the place depends on the changed value.
        if type(value) in node.touched:
            value = self.apply_rule(value, node)
        kind = node.kind
        if isinstance(value, dict):
            if kind is _OBJECT:
                return self.place_object(value, node)
            if kind is _FLAT:
                return self._place_flat_field(value, node)
        elif isinstance(value, list):
            return self._place_list(value, node)
        elif isinstance(value, Verbatim):
            return MISSING, self.place_verbatim(value, node)
        elif kind is not _UNMAPPED and (value is None or _fits(value, kind)):
            # A double field compares numbers, so it needs no second notation.
            return value if kind is _NUMBER else self.place_scalar(value), MISSING
        return MISSING, self._place_unchecked(value, node)

    def _goes_to_overflow(self, name: str, value: Json) -> bool:
        """Whether an undeclared member goes to ``overflow`` as it is; a yes is certain."""
        if self.is_flat:
            return True
        is_short = self.has_short_texts
        if len(name) > SAFE_NAME or not (is_short or (name.isascii() and name.isprintable())):
            return False
        if type(value) is dict or type(value) is list:
            return len(self.path) < SAFE_DEPTH and is_flat(value, are_short=is_short)
        return (is_short and type(value) is str) or is_flat_scalar(value)

    def _place_named(
        self, key: str, value: Json, children: dict[str, Node], taken: tuple[dict[str, Json], ...]
    ) -> tuple[str, Part, Part]:
        """Return the name of a member that is undeclared or that a rule may change, and the parts of its value.

        :param taken: the objects whose names are not free
        """
        known = children.get(key)
        name: str | None = key
        if known is not None:
            name = self.choose_name(key, value, known, *taken)
            known = None if name is None else children.get(name)
        if name is None:
            return key, MISSING, MISSING
        if known is not None:
            return name, *self.place_value(value, known)
        rest = self.place_flat(value) if self.is_storable_name(name) else self.move_to_unindexed(value)
        return name, MISSING, rest

    def _place_list(self, value: list[Json], node: Node) -> Parts:
        """Part a list element by element; both parts keep its length, with null for what the other part has."""
        # No declared field is in such a list, so the whole list is the rest.
        if node.kind in _UNDIVIDED:
            return MISSING, self._place_unchecked(value, node)
        if node.takes_all(value, self.has_short_texts):
            return value, MISSING
        path = self.path
        if len(path) > MAX_DEPTH:
            return MISSING, self.move_to_unindexed(value)
        kept: list[Json] = []
        others: list[Json] = []
        is_changed = has_kept = has_others = False
        # Spares one call for each usual element.
        holds_objects = node.kind is _OBJECT and dict not in node.touched
        for index, element in enumerate(value):
            path.append(index)
            if holds_objects and type(element) is dict:
                placed, other = self.place_object(element, node)
            else:
                placed, other = self.place_value(element, node)
            path.pop()
            is_changed = is_changed or placed is not element
            has_kept = has_kept or placed is not MISSING
            has_others = has_others or other is not MISSING
            # Null keeps the position of the element in each part.
            kept.append(None if placed is MISSING else placed)
            others.append(None if other is MISSING else other)
        if not has_others:
            return kept if is_changed else value, MISSING
        return kept if has_kept else MISSING, others

    def _place_flat_field(self, value: dict[str, Json], node: Node) -> Parts:
        """Part an object for a flat field of its own: OpenSearch does not find a value under an empty name."""
        if "" not in value:
            is_known = self.is_flat or is_flat(value, are_short=self.has_short_texts)
            if is_known and node.children.keys().isdisjoint(value):
                return value, MISSING
            return self.place_flat_object(value, node), MISSING
        named = {name: child for name, child in value.items() if name}
        return self.place_flat_object(named, node), self.place_flat_object({"": value[""]}, node)


def _fits(value: Json, kind: Kind) -> bool:
    """Whether a field of this kind takes the scalar."""
    # A keyword field indexes numbers and booleans as their text.
    if kind is _KEYWORD:
        return True
    if kind is _BOOLEAN:
        return isinstance(value, bool)
    if kind is _NUMBER:
        # `type` instead of `isinstance`, because a boolean is an int, too.
        return type(value) is float or (type(value) is int and abs(value) <= MAX_EXACT)
    return kind is _DATE and parse_time(value) is not None
