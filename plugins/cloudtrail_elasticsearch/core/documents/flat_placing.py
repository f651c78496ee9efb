"""The walk through values for a flat field, and the record of everything that the walk changes."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from cloudtrail_elasticsearch.core.documents.changes import MOVES, Drop, Mask, Note, Parse, Rename
from cloudtrail_elasticsearch.core.documents.events import SHORT_TEXT
from cloudtrail_elasticsearch.core.documents.flat_field import (
    SAFE_DEPTH,
    SAFE_NAME,
    has_one_notation,
    is_flat,
)
from cloudtrail_elasticsearch.core.documents.parts import MISSING, Missing, Part
from cloudtrail_elasticsearch.core.documents.rules import Rule
from cloudtrail_elasticsearch.core.documents.schema import Node
from cloudtrail_elasticsearch.core.documents.unindexed import MAX_PATH_BYTES, set_aside, set_earlier_aside
from cloudtrail_elasticsearch.core.encoding.codec import Json, Verbatim

MAX_TERM_BYTES: Final = 32_766
"""Lucene's longest term, in UTF-8; the servers reject a document with a longer one."""

MAX_DEPTH: Final = 60
"""Names and list positions in the longest path that is indexed; deeper values go to ``unindexed``."""


class FlatPlacing(msgspec.Struct):
    """The state of one event's walk, and the part of the walk that concerns flat fields."""

    has_short_texts: bool = False
    """Whether every text and name of the event is known to be ASCII, and every text short: none needs a check."""
    is_flat: bool = False
    """Whether a flat field is known to take every value of the event as it is, unless a rule changes the value."""
    # msgspec gives each instance lists of its own.
    path: list[str | int] = []
    """The names and list positions down to the current value."""
    changes: list[dict[str, Any]] = []
    """The changes that rules made, as ``normalization.changes`` has them."""
    unindexed: list[dict[str, Any]] = []
    """The entries of ``unindexed``."""

    def added_fields(self, overflow: Part) -> dict[str, Any]:
        """Return the fields that a document needs for values that moved or changed.

        :param overflow: the rest of the event
        """
        added: dict[str, Any] = {}
        if overflow is not MISSING:
            added["overflow"] = overflow
        if self.unindexed:
            added["unindexed"] = self.unindexed
        if self.changes:
            applied = {change["rule"] for change in self.changes}
            added["normalization"] = {"rules": sorted(applied), "changes": self.changes}
        return added

    def place_flat(self, value: Json, node: Node | None = None) -> Part:
        """Return the part of a value that a flat field takes; the rest is moved to ``unindexed``.

        :param node: the rules for this path and the paths below it
        """
        if node is None:
            # The fast check first: nearly all values pass it, and are not walked again.
            if len(self.path) <= SAFE_DEPTH and is_flat(value, are_short=self.has_short_texts):
                return value
        elif node.rules:
            value = self.apply_rule(value, node)
        return self._place_unchecked(value, node)

    def _place_unchecked(self, value: Json, node: Node | None) -> Part:
        if isinstance(value, dict | list):
            if len(self.path) > MAX_DEPTH:
                return self.move_to_unindexed(value)
            if isinstance(value, dict):
                return self.place_flat_object(value, node)
            return self._place_flat_list(value, node)
        if isinstance(value, Verbatim):
            return self.place_verbatim(value, node)
        return self.place_scalar(value)

    def place_flat_object(self, value: dict[str, Json], node: Node | None) -> dict[str, Json]:
        """Return the part of an object that a flat field takes."""
        placed: dict[str, Json] = {}
        children = {} if node is None else node.children
        for key, child in value.items():
            known = children.get(key)
            name: str | None = key
            self.path.append(key)
            if known is not None and known.rules:
                name = self.choose_name(key, child, known, value, placed)
                known = None if name is None else children.get(name)
            if name is not None:
                part = (
                    self.place_flat(child, known) if self.is_storable_name(name) else self.move_to_unindexed(child)
                )
                if part is not MISSING:
                    placed[name] = part
            self.path.pop()
        return placed

    def _place_flat_list(self, value: list[Json], node: Node | None) -> list[Json]:
        placed: list[Json] = []
        for index, element in enumerate(value):
            self.path.append(index)
            part = self.place_flat(element, node)
            # The list keeps its length, so that the other part fits beside it.
            placed.append(None if part is MISSING else part)
            self.path.pop()
        return placed

    def place_scalar(self, value: Json) -> Part:
        """Return a text, number, boolean or null; move it to ``unindexed`` if no field can hold it."""
        if isinstance(value, str):
            if len(value) <= SHORT_TEXT and value.isascii():
                return value
            size = _utf8_size(value)
            fits = size is not None and size + self._path_bytes() < MAX_TERM_BYTES
            return value if fits else self.move_to_unindexed(value)
        # A flat field indexes the text of a number, and the servers write some numbers in another notation.
        if isinstance(value, float) and not has_one_notation(value):
            self.changes.append({"rule": "scientific-notation", "at": list(self.path), "do": "notation"})
            return [value, scientific(value)]
        return value

    def choose_name(self, key: str, value: Json, node: Node, *taken: Mapping[str, Json]) -> str | None:
        """Return the name that a value gets in its object; None if a rule drops the value.

        :param taken: the objects whose names are not free
        """
        rule = node.rule_for(value)
        if rule is not None:
            if isinstance(rule.change, Drop):
                self._record_change(rule, {})
                return None
            # A taken name would hold two values, and one of them would be lost (ADR-0002).
            if isinstance(rule.change, Rename) and not any(rule.change.to in names for names in taken):
                # Changes are recorded under the new name, because `undo` finds the value there.
                self.path[-1] = rule.change.to
                self._record_change(rule, {"from": key})
                return rule.change.to
        return key

    def apply_rule(self, value: Json, node: Node) -> Json:
        """Return the value as the first rule that applies changes it; `choose_name` applies rules about names."""
        rule = node.rule_for(value)
        if rule is None or isinstance(rule.change, MOVES):
            return value
        changed: Json
        changed, note = rule.change.apply(value)
        # A text that was parsed can hold any value.
        self.is_flat = False
        # The note of a parsed text holds the text itself, with any secret in it.
        self._record_change(rule, {} if node.secretive and isinstance(rule.change, Parse) else note)
        return changed

    def _record_change(self, rule: Rule, note: Note) -> None:
        # The change itself, so that it can be undone after the rule is deleted (ADR-0002).
        do = rule.change.__struct_config__.tag
        self.changes.append({"rule": rule.name, "at": list(self.path), "do": do, **note})

    def move_to_unindexed(self, value: Json) -> Missing:
        """Move the current value to ``unindexed``."""
        self.unindexed += set_aside(self.path, value)
        return MISSING

    def place_verbatim(self, value: Verbatim, node: Node | None) -> Part:
        """Move a JSON text to ``unindexed``, or remove it if a rule removes a part of it."""
        # The values that the rule hides cannot be found in a text, so the whole text is removed.
        rule = None if node is None else node.secret_rule()
        if rule is None:
            return self.move_to_unindexed(value)
        self._record_change(rule, {})
        return rule.change.text if isinstance(rule.change, Mask) else MISSING

    def place_earlier(self, name: str, value: Verbatim, node: Node) -> None:
        """Move an earlier value of a repeated top-level name to ``unindexed``, or remove it.

        :param node: the top of the schema
        """
        known = node.children.get(name)
        rule = None if known is None else known.secret_rule()
        if rule is None:
            self.unindexed.append(set_earlier_aside(name, value))
        else:
            self.changes.append({"rule": rule.name, "at": [name], "do": "drop"})

    def is_storable_name(self, name: str) -> bool:
        """Whether a flat field takes the name at the current path."""
        if len(name) <= SAFE_NAME and name.isascii() and name.isprintable():
            return True
        # A flat field joins path and value with a null character.
        return "\0" not in name and _utf8_size(name) is not None and self._path_bytes() <= MAX_PATH_BYTES

    def _path_bytes(self) -> int:
        """Return the most bytes that the path adds to a term, with the names that the server puts before it."""
        return 64 + sum(1 + (_utf8_size(part) or 0) for part in self.path if isinstance(part, str))


def scientific(number: float) -> str:
    """Return a number in Java's scientific notation: ``1.648282488418E9``.

    https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/lang/Double.html#toString(double)
    """
    sign, digits, exponent = Decimal(repr(number)).normalize().as_tuple()
    first, *others = map(str, digits)
    return f"{'-' * sign}{first}.{''.join(others) or '0'}E{int(exponent) + len(others)}"


def _utf8_size(text: str) -> int | None:
    """Return the length of a text in UTF-8; None if it has a lone surrogate."""
    if text.isascii():
        return len(text)
    try:
        return len(text.encode())
    except UnicodeEncodeError:
        return None
