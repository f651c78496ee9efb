"""The changes that a rule can make to a value, and how they are undone.

`fits` checks whether a change can be made to a value of one of the types in `touches`. `apply` returns the new
value and a note for `undo`. `Rename` and `Drop` concern the value's name; the walk makes these changes in the
parent object.
"""

from __future__ import annotations

from typing import Any, ClassVar, Final, TypeAlias

import msgspec

from cloudtrail_elasticsearch.core.documents.patterns import matches
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.encoding.codec import Verbatim

Note: TypeAlias = dict[str, Any]

TYPES: Final[frozenset[type]] = frozenset({str, int, float, bool, list, dict})
"""The types of all values but null."""


class _Change(msgspec.Struct, frozen=True, forbid_unknown_fields=True, tag_field="do"):
    """The base of all changes."""

    touches: ClassVar[frozenset[type]] = TYPES
    """The types of the values that it can fit."""

    def fits(self, value: Any) -> bool:  # noqa: ARG002
        """Whether this change can be made to a value of a type in `touches`."""
        return True

    def apply(self, value: Any) -> tuple[Any, Note]:
        """Return the new value and the note for `undo`."""
        raise NotImplementedError


class KeyPattern(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A key to choose if the text matches an RE2 regular expression (searched, not anchored)."""

    matches: str
    key: str


class Wrap(_Change, frozen=True, tag="wrap"):
    """Put a scalar, or a list without objects, under `key`, or under the key of the first pattern that matches."""

    touches: ClassVar[frozenset[type]] = TYPES - {dict}

    key: str
    patterns: tuple[KeyPattern, ...] = ()

    @property
    def keys(self) -> tuple[str, ...]:
        """Every key that the value can get."""
        return (self.key, *(pattern.key for pattern in self.patterns))

    def fits(self, value: Any) -> bool:  # noqa: D102
        return not holds_object(value)

    def apply(self, value: Any) -> tuple[Any, Note]:  # noqa: D102
        key = self._key(value)
        return {key: value}, {"key": key}

    def _key(self, value: Any) -> str:
        sample = value
        # A list gets one key, so its first element decides.
        while isinstance(sample, list):
            sample = sample[0] if sample else None
        if isinstance(sample, str):
            for pattern in self.patterns:
                if matches(pattern.matches, sample):
                    return pattern.key
        return self.key


class Unwrap(_Change, frozen=True, tag="unwrap"):
    """Replace an object that has only `key` by the value under it."""

    touches: ClassVar[frozenset[type]] = frozenset({dict})

    key: str

    def fits(self, value: Any) -> bool:  # noqa: D102
        # Another name in the object would be lost, and the document must restore its event (ADR-0002).
        return [*value] == [self.key]

    def apply(self, value: Any) -> tuple[Any, Note]:  # noqa: D102
        return value[self.key], {"key": self.key}


class Stringify(_Change, frozen=True, tag="stringify"):
    """Write a number, a boolean or an object as its JSON text."""

    touches: ClassVar[frozenset[type]] = frozenset({int, float, bool, dict})

    def apply(self, value: Any) -> tuple[Any, Note]:  # noqa: D102
        return codec.encode(value).decode(), {}


class Parse(_Change, frozen=True, tag="parse"):
    """Parse a text that is the JSON of an object; the text itself is kept in the note, and is not searchable.

    An object with a repeated name becomes a `Verbatim`, as it does in the event itself.
    """

    touches: ClassVar[frozenset[type]] = frozenset({str})

    def fits(self, value: Any) -> bool:  # noqa: D102
        # The first character spares nearly all texts the decoding.
        return value.lstrip()[:1] == "{" and _object(value) is not None

    def apply(self, value: Any) -> tuple[Any, Note]:  # noqa: D102
        # Canonical JSON is ASCII, so that a text with a lone surrogate can be stored, too.
        return _object(value), {"text": codec.canonical(value).decode()}


class Empty(_Change, frozen=True, tag="empty"):
    """Replace ``""`` by an empty object: XML that was converted to JSON writes an empty element as ``""``."""

    touches: ClassVar[frozenset[type]] = frozenset({str})

    def fits(self, value: Any) -> bool:  # noqa: D102
        return not value

    def apply(self, value: Any) -> tuple[Any, Note]:  # noqa: ARG002, D102
        return {}, {}


class Rename(_Change, frozen=True, tag="rename"):
    """Give the value another name in its object, unless that name is taken."""

    to: str


class Mask(_Change, frozen=True, tag="mask"):
    """Replace the value by a fixed text. The value is lost: `undo` leaves the text."""

    text: str = "***"

    def apply(self, value: Any) -> tuple[Any, Note]:  # noqa: ARG002, D102
        return self.text, {}


class Drop(_Change, frozen=True, tag="drop"):
    """Remove the value and its name. Both are lost."""


Change: TypeAlias = Wrap | Unwrap | Stringify | Parse | Empty | Rename | Mask | Drop
MOVES = (Rename, Drop)
"""The changes that the walk makes in the parent object."""

SECRETIVE = (Mask, Drop)
"""The changes that remove a value for good; it stays in the staged parts only."""


def holds_object(value: Any) -> bool:
    """Whether the value is an object, or a list with an object at any depth."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, list):
            waiting += value
        elif isinstance(value, dict | Verbatim):
            return True
    return False


def undo(event: dict[str, Any], at: list[Any], do: str, note: Note) -> None:
    """Undo one change in an event."""
    *parents, last = at
    holder: Any = event
    for step in parents:
        holder = holder[step]
    # `mask` and `drop` have no case: they hide values on purpose (ADR-0002).
    match do:
        case "wrap":
            holder[last] = holder[last][note["key"]]
        case "unwrap":
            holder[last] = {note["key"]: holder[last]}
        case "stringify":
            # The value gets as many levels as it had at this place in the event.
            holder[last] = codec.decode(holder[last], codec.MAX_LEVELS - len(at))
        case "parse":
            _undo_parse(holder, last, note)
        case "empty":
            holder[last] = ""
        case "notation":
            holder[last] = holder[last][0]
        case "rename":
            holder[note["from"]] = holder.pop(last)


def _undo_parse(holder: Any, last: Any, note: Note) -> None:
    text = note.get("text")
    # The note has no text if a rule below this path hides values.
    if text:
        holder[last] = codec.decode(text)
    elif isinstance(holder, list) or last in holder:  # else a rule removed all of it
        holder[last] = codec.encode(holder[last]).decode()


def _object(text: str) -> dict[str, Any] | Verbatim | None:
    try:
        value = codec.decode(text)
    except ValueError:
        return None
    return value if isinstance(value, dict | Verbatim) else None
