"""Shows where each value of an event is found, and what the rules changed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from cloudtrail_elasticsearch.core.documents.restore import DERIVED
from cloudtrail_elasticsearch.core.documents.unindexed import digest, read_asides
from cloudtrail_elasticsearch.core.encoding.codec import Verbatim

Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A scalar of an event, and the exact-value search that finds it: `field` equals `value`."""

    field: str
    value: Any
    at: str
    """Its path in the event, after the rules: names and list positions joined by dots.

    For a scalar in a value that is kept as text (too deep, or with a repeated name): the path of that value.
    """
    original: Any
    """The scalar itself; `value` differs if no field can hold the scalar."""


def locate(source: dict[str, Any]) -> Iterator[Found]:
    """Yield every scalar of the event that a document was made from, except null: nothing finds null."""
    changes = source.get("normalization", {}).get("changes", ())
    # A number in both notations is a list in the document, but one scalar in the event.
    pairs = frozenset(tuple(change["at"]) for change in changes if change["do"] == "notation")
    for name, value in source.items():
        if name not in DERIVED:
            yield from _walk(value, name, (name,), pairs)
    for name, value in source.get("overflow", {}).items():
        yield from _walk(value, f"overflow.{name}", (name,), pairs)
    for aside in read_asides(source):
        for found in _walk(aside.value, "", tuple(aside.at)):
            yield Found("unindexed.sha256", digest(found.original), found.at, found.original)


def explain(identifier: str, index: str, source: dict[str, Any]) -> dict[str, Any]:
    """Return a report about one event, for people."""
    return {
        "id": identifier,
        "index": index,
        "changed": [
            {
                "rule": change["rule"],
                "at": _joined(change["at"]),
                "change": {name: value for name, value in change.items() if name not in {"rule", "at"}},
            }
            for change in source.get("normalization", {}).get("changes", ())
        ],
        "found": [_line(found) for found in locate(source)],
    }


def explain_left_out(identifier: str, rule: str) -> dict[str, Any]:
    """Return a report about one event that no index holds, because a rule leaves it out."""
    return {"id": identifier, "left_out_by": rule}


def _line(found: Found) -> dict[str, Any]:
    line = {"at": found.at, "field": found.field, "value": found.value}
    # `is`, because 1, 1.0 and true are equal.
    return line if found.value is found.original else line | {"stands_for": found.original}


def _walk(value: Any, field: str, at: Path, pairs: frozenset[Path] = frozenset()) -> Iterator[Found]:
    """Yield the scalars of a value; `pairs` are the paths of numbers that are written in both notations."""
    if isinstance(value, dict):
        for name, child in value.items():
            yield from _walk(child, f"{field}.{name}", (*at, name), pairs)
    elif isinstance(value, list) and at in pairs:
        yield Found(field, value[0], _joined(at), value[0])
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _walk(child, field, (*at, index), pairs)
    elif isinstance(value, Verbatim):
        yield from (Found(field, scalar, _joined(at), scalar) for scalar in value.read_scalars())
    elif value is not None:
        yield Found(field, value, _joined(at), value)


def _joined(path: Iterable[str | int]) -> str:
    return ".".join(map(str, path))
