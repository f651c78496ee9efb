"""Changes: what a rule can do to a value, and how it is undone.

Each change says which values it `fits`, and `apply` gives the new value with a note: what `undo` needs to know.
`Rename` and `Drop` move or remove the value itself, which is done where its parent is walked.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any, ClassVar, Final, TypeAlias

import msgspec

from cloudtrail_elasticsearch.core import codec

Note: TypeAlias = dict[str, Any]

TYPES: Final[frozenset[type]] = frozenset({str, int, float, bool, list, dict})
"""The types of all values but null."""


class _Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="do"):
    """What all changes have in common."""

    touches: ClassVar[frozenset[type]] = TYPES
    """The types of values among which all are that it `fits`."""

    def fits(self, value: Any) -> bool:
        """Whether this change can be made to the value; to null none can."""
        raise NotImplementedError

    def apply(self, value: Any) -> tuple[Any, Note]:
        """Return the new value and the note for `undo`."""
        raise NotImplementedError


class KeyPattern(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key to choose where the text matches a regular expression (searched, not anchored)."""

    matches: str
    key: str


class Wrap(_Change, frozen=True, tag="wrap"):
    """Put a scalar, or a list without objects, under `key`, or that of the first of `patterns` that matches."""

    touches: ClassVar[frozenset[type]] = TYPES - {dict}

    key: str
    patterns: tuple[KeyPattern, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key that the value can come to stand under."""
        return (self.key, *(pattern.key for pattern in self.patterns))

    def fits(self, value: Any) -> bool:  # noqa: D102
        return value is not None and not holds_object(value)

    def apply(self, value: Any) -> tuple[Any, Note]:  # noqa: D102
        key = self._key(value)
        return {key: value}, {"key": key}

    def _key(self, value: Any) -> str:
        sample = value
        while isinstance(sample, list):
            sample = sample[0] if sample else None
        if isinstance(sample, str):
            for pattern in self.patterns:
                if _compiled(pattern.matches).search(sample):
                    return pattern.key
        return self.key


class Unwrap(_Change, frozen=True, tag="unwrap"):
    """Take the value out of an object that has nothing but `key`."""

    touches: ClassVar[frozenset[type]] = frozenset({dict})

    key: str

    def fits(self, value: Any) -> bool:  # noqa: D102
        return isinstance(value, dict) and value.keys() == {self.key}

    def apply(self, value: Any) -> tuple[Any, Note]:  # noqa: D102
        return value[self.key], {"key": self.key}


class Stringify(_Change, frozen=True, tag="stringify"):
    """Write a number, a boolean or an object as its JSON text."""

    touches: ClassVar[frozenset[type]] = frozenset({int, float, bool, dict})

    def fits(self, value: Any) -> bool:  # noqa: D102
        return isinstance(value, int | float | dict)

    def apply(self, value: Any) -> tuple[Any, Note]:  # noqa: D102
        return codec.encode(value).decode(), {}


class Parse(_Change, frozen=True, tag="parse"):
    """Read a text that is the JSON of an object; the text itself stays in the document's note, not searchable."""

    touches: ClassVar[frozenset[type]] = frozenset({str})

    def fits(self, value: Any) -> bool:  # noqa: D102
        return isinstance(value, str) and value.lstrip()[:1] == "{" and _object(value) is not None

    def apply(self, value: Any) -> tuple[Any, Note]:  # noqa: D102
        return _object(value), {"text": codec.canonical(value).decode()}


class Empty(_Change, frozen=True, tag="empty"):
    """Take ``""`` for what it is where XML was turned to JSON: an empty element, so an object without anything."""

    touches: ClassVar[frozenset[type]] = frozenset({str})

    def fits(self, value: Any) -> bool:  # noqa: D102
        return isinstance(value, str) and value == ""

    def apply(self, value: Any) -> tuple[Any, Note]:  # noqa: ARG002, D102
        return {}, {}


class Rename(_Change, frozen=True, tag="rename"):
    """Give the value another name beside its old one, unless something stands there."""

    to: str

    def fits(self, value: Any) -> bool:  # noqa: D102
        return value is not None


class Mask(_Change, frozen=True, tag="mask"):
    """Put a fixed text in the value's place. The value is gone: `undo` leaves the text."""

    text: str = "***"

    def fits(self, value: Any) -> bool:  # noqa: D102
        return value is not None

    def apply(self, value: Any) -> tuple[Any, Note]:  # noqa: ARG002, D102
        return self.text, {}


class Drop(_Change, frozen=True, tag="drop"):
    """Leave the value out. The value is gone, and its name with it."""

    def fits(self, value: Any) -> bool:  # noqa: D102
        return value is not None


Change: TypeAlias = Wrap | Unwrap | Stringify | Parse | Empty | Rename | Mask | Drop
MOVES = (Rename, Drop)
"""The changes that the parent's walk makes."""

SECRETIVE = (Mask, Drop)
"""The changes that keep a value from everywhere but the staged parts."""


def holds_object(value: Any) -> bool:
    """Whether the value is an object, or a list with an object at any depth."""
    if isinstance(value, list):
        return any(holds_object(element) for element in value)
    return isinstance(value, dict)


def undo(event: dict[str, Any], at: list[Any], do: str, note: Note) -> None:
    """Put back, at its path in an event, what stood there before a change."""
    *parents, last = at
    holder: Any = event
    for step in parents:
        holder = holder[step]
    match do:
        case "wrap":
            holder[last] = holder[last][note["key"]]
        case "unwrap":
            holder[last] = {note["key"]: holder[last]}
        case "stringify":
            holder[last] = codec.decode(holder[last])
        case "parse":
            text = note.get("text")
            holder[last] = codec.decode(text) if text else codec.encode(holder[last]).decode()
        case "empty":
            holder[last] = ""
        case "notation":
            holder[last] = holder[last][0]
        case "rename":
            holder[note["from"]] = holder.pop(last)


def _object(text: str) -> dict[str, Any] | None:
    try:
        value = codec.decode(text)
    except ValueError:
        return None
    return value if isinstance(value, dict) else None


@lru_cache(maxsize=1024)
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)
