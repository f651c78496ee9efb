"""The catalogue: what is known of the kind of every path of the open objects.

It is made beforehand, by ``make catalogue``, from botocore's models of all AWS operations and from recorded
events, and shipped as ``rules/catalogue.ndjson.gz``: one path to a line, sorted.
"""

from __future__ import annotations

import enum
import gzip
from collections.abc import Iterator
from functools import cache, cached_property
from importlib import resources
from typing import Any, Final

import msgspec

from cloudtrail_elasticsearch.core.shape import Shape

SHIPPED: Final = "catalogue.ndjson.gz"


class ValueKind(enum.StrEnum):
    """The kind of a value. A list counts as its elements; null has none."""

    OBJECT = "object"
    MAP = "map"
    """An object whose keys the caller chooses: nothing is known of what is below it."""
    TEXT = "text"
    NUMBER = "number"
    BOOLEAN = "boolean"
    TIME = "time"
    """A time by AWS's models, which CloudTrail writes as a text or as a number."""

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
    """A kind that a path has, in so many operations of so many services, and whether recorded events show it."""

    kind: ValueKind
    operations: int
    services: int
    recorded: bool


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """A path with every kind that is known of it, none for an unknown path."""

    path: str
    occurrences: tuple[Occurrence, ...] = ()

    @property
    def conflict(self) -> Conflict | None:
        """How its kinds disagree, if they do."""
        kinds = {occurrence.kind for occurrence in self.occurrences}
        scalars = {kind for kind in kinds if not kind.is_object}
        if scalars and scalars != kinds:
            return Conflict.HARD
        return Conflict.SOFT if len(scalars) > 1 else None


_decoder = msgspec.json.Decoder(Entry)


class Catalogue:
    """The entries of a catalogue's text, decoded as they are asked for."""

    def __init__(self, text: bytes) -> None:
        self._text = b"\n" + text

    def __iter__(self) -> Iterator[Entry]:
        return map(_decoder.decode, self._text.splitlines()[1:])

    def __getitem__(self, path: str) -> Entry:
        start = self._text.find(b"\n[" + msgspec.json.encode(path) + b",") + 1
        if not start:
            return Entry(path)
        return _decoder.decode(self._text[start : self._text.index(b"\n", start)])

    @cached_property
    def conflicts(self) -> dict[str, Conflict]:
        """The paths that conflict."""
        return {entry.path: conflict for entry in self if (conflict := entry.conflict)}


@cache
def catalogue() -> Catalogue:
    """Return the shipped catalogue."""
    shipped = resources.files("cloudtrail_elasticsearch") / "rules" / SHIPPED
    return Catalogue(gzip.decompress(shipped.read_bytes()))


def describe(path: str, shape: Shape) -> dict[str, Any]:
    """Return, for people, what is known of a path, and the fields that a scalar there is found under."""
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
        "fields": shape.fields(path),
    }
