"""The catalogue: the kinds of value that are known at each path of the open objects.

``make catalogue`` makes it from botocore's models of all AWS operations and from recorded events. It is shipped as
``rules/catalogue.ndjson.gz``: one path on each line, sorted.
"""

from __future__ import annotations

import enum
import gzip
from collections.abc import Iterator
from functools import cache, cached_property
from importlib import resources
from typing import Any, Final

import msgspec

from cloudtrail_elasticsearch.core.documents.schema import Schema
from cloudtrail_elasticsearch.core.encoding import typed

SHIPPED: Final = "catalogue.ndjson.gz"


class ValueKind(enum.StrEnum):
    """The kind of a value. A list has the kind of its elements; null has none."""

    OBJECT = "object"
    MAP = "map"
    """An object whose keys the caller chooses: nothing is known about the paths below it."""
    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TIME = "time"
    """A time in AWS's models; CloudTrail writes it as a text or as a number."""

    @property
    def is_object(self) -> bool:
        """Whether it has keys."""
        return self in {ValueKind.OBJECT, ValueKind.MAP}


class Conflict(enum.StrEnum):
    """How a path's kinds disagree."""

    HARD = "hard"
    """An object here and a scalar there."""
    SOFT = "soft"
    """Scalars of different kinds."""


class Occurrence(msgspec.Struct, frozen=True, array_like=True):
    """A kind of value at a path: the number of operations and services with it, and whether it was recorded."""

    kind: ValueKind
    operations: int
    services: int
    recorded: bool


# Lists without names, so that the shipped file is small.
class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A path and its known kinds; none for an unknown path."""

    path: str
    occurrences: tuple[Occurrence, ...] = ()

    @property
    def conflict(self) -> Conflict | None:
        """How its kinds disagree; None if they agree."""
        kinds = {occurrence.kind for occurrence in self.occurrences}
        scalars = {kind for kind in kinds if not kind.is_object}
        if scalars and scalars != kinds:
            return Conflict.HARD
        return Conflict.SOFT if len(scalars) > 1 else None


_decode = typed.make_decode(Entry)


class Catalogue:
    """The entries of a catalogue's text; each is decoded when it is used."""

    def __init__(self, text: bytes) -> None:
        # With a line end before the first entry, too, one text search finds the beginning of any entry.
        self._text = b"\n" + text

    def __iter__(self) -> Iterator[Entry]:
        return map(_decode, self._text.splitlines()[1:])

    def __getitem__(self, path: str) -> Entry:
        # Decoding all entries to find one would take much longer than a text search.
        start = self._text.find(b"\n[" + msgspec.json.encode(path) + b",") + 1
        if not start:
            return Entry(path)
        return _decode(self._text[start : self._text.index(b"\n", start)])

    @cached_property
    def conflicts(self) -> dict[str, Conflict]:
        """The paths that conflict."""
        return {entry.path: conflict for entry in self if (conflict := entry.conflict)}


@cache
def catalogue() -> Catalogue:
    """Return the shipped catalogue."""
    shipped = resources.files("cloudtrail_elasticsearch") / "rules" / SHIPPED
    return Catalogue(gzip.decompress(shipped.read_bytes()))


def describe(path: str, schema: Schema) -> dict[str, Any]:
    """Return a report about a path, for people: its known kinds, and the fields that find a scalar there."""
    entry = catalogue()[path]
    return {
        "path": path,
        "kinds": {
            occurrence.kind.value: {
                "operations": occurrence.operations,
                "services": occurrence.services,
                "recorded": occurrence.recorded,
            }
            for occurrence in entry.occurrences
        },
        "conflict": entry.conflict,
        "fields": schema.fields(path),
    }
