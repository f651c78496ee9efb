"""The declared fields: those of the envelope, those of the open objects, and the user's own list."""

from __future__ import annotations

import enum
from collections.abc import Iterator
from functools import cache
from importlib import resources
from pathlib import Path
from typing import Final

import msgspec

from cloudtrail_elasticsearch.core.errors import RulesError
from cloudtrail_elasticsearch.core.user_files import read_user_file, show_path

OPEN_OBJECTS = ("additionalEventData", "requestParameters", "responseElements", "serviceEventDetails")
"""The top-level objects that AWS's teams fill as they please."""

FIELDS: Final = "fields.txt"

DETECTIONS: Final = "detections.txt"


class Kind(enum.Enum):
    """The kind of field that a declared path has."""

    OBJECT = "object"
    KEYWORD = "keyword"
    BOOLEAN = "boolean"
    DATE = "date"
    NUMBER = "number"
    """A double, for statistics; it takes the numbers that a double holds exactly."""
    FLAT = "flat"
    UNMAPPED = "unmapped"
    """No field: the path has a rule, or a path below it has one."""


FIELDS_OF_SCALARS: Final = (Kind.KEYWORD, Kind.BOOLEAN, Kind.DATE, Kind.NUMBER)
"""The kinds of field that hold one scalar each."""


@cache
def envelope_fields() -> tuple[tuple[str, Kind], ...]:
    """Return the fields that CloudTrail itself fills, each with its kind, from ``rules/envelope.yaml``."""
    listed = msgspec.yaml.decode(_shipped("envelope.yaml"))
    return tuple((path, Kind(kind)) for kind, paths in listed.items() for path in paths)


@cache
def open_fields() -> tuple[str, ...]:
    """Return the declared keyword paths of the open objects.

    Detection rules compare scalars, so a path that they read has a field of its own and none below it (ADR-0027).
    """
    compared = detection_fields()
    others = (path for path in likely_fields() if compared.isdisjoint(find_parents(path)))
    return tuple(sorted({*others, *compared}))


@cache
def likely_fields() -> tuple[str, ...]:
    """Return the paths that events are likely to have, from ``rules/fields.txt``."""
    return _paths(_shipped(FIELDS).decode())


@cache
def detection_fields() -> frozenset[str]:
    """Return the paths whose scalars public detection rules read, from ``rules/detections.txt``."""
    return frozenset(_paths(_shipped(DETECTIONS).decode()))


def read_fields(file: Path) -> tuple[str, ...]:
    """Return the paths in the user's own fields file: one on each line, ``#`` begins a comment.

    :raises RulesError: it cannot be read, or a line is not a path of the open objects; the error does not quote it
    """
    content = read_user_file(file, "fields")
    try:
        # Some editors write a byte order mark.
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = None
    if text is None:  # outside the handler: its error holds the content
        raise RulesError(f"The fields file {show_path(file)} is not text in UTF-8.")
    for number, line in enumerate(_lines(text), 1):
        if line and not _is_open_path(line):
            raise RulesError(
                f"The fields file {show_path(file)} has a mistake: line {number} is not a path below "
                f"{', '.join(OPEN_OBJECTS)}."
            )
    return _paths(text)


def _is_open_path(text: str) -> bool:
    top, _, rest = text.partition(".")
    # CloudTrail itself fills all other fields, and `envelope.yaml` declares them.
    return top in OPEN_OBJECTS and all(rest.split(".")) and text.isprintable()


def find_parents(path: str) -> Iterator[str]:
    """Yield the paths above a path, the longest first."""
    while "." in path:
        path = path.rpartition(".")[0]
        yield path


def _paths(text: str) -> tuple[str, ...]:
    return tuple(filter(None, _lines(text)))


def _lines(text: str) -> Iterator[str]:
    return (line.partition("#")[0].strip() for line in text.splitlines())


def _shipped(name: str) -> bytes:
    return (resources.files("cloudtrail_elasticsearch") / "rules" / name).read_bytes()
