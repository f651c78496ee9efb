"""Where each value of an event is found, and which rules changed what."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.normalize import DERIVED, digest

Path: TypeAlias = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """A scalar of an event, and the exact-value search that finds it: `field` equals `value`."""

    field: str
    value: Any
    at: str
    """Where it stands in the event, as the rules left it: names and list positions joined by dots."""
    original: Any
    """The scalar itself; `value` is another where no field can hold it."""


def locate(source: dict[str, Any]) -> Iterator[Found]:
    """Yield every scalar of the event that a document was made of; null is no value to search for."""
    changes = source.get("normalization", {}).get("changes", ())
    pairs = frozenset(tuple(change["at"]) for change in changes if change["do"] == "notation")
    for name, value in source.items():
        if name not in DERIVED:
            yield from _walk(value, name, (name,), pairs)
    for name, value in source.get("overflow", {}).items():
        yield from _walk(value, f"overflow.{name}", (name,), pairs)
    for aside in source.get("unindexed", ()):
        entry = codec.decode(aside["json"])
        for found in _walk(entry["value"], "", tuple(entry["at"])):
            yield Found("unindexed.sha256", digest(found.original), found.at, found.original)


def explain(identifier: str, index: str, source: dict[str, Any]) -> dict[str, Any]:
    """Return, for people, what became of one event."""
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


def _line(found: Found) -> dict[str, Any]:
    line = {"at": found.at, "field": found.field, "value": found.value}
    return line if found.value is found.original else line | {"stands_for": found.original}


def _walk(value: Any, field: str, at: Path, pairs: frozenset[Path] = frozenset()) -> Iterator[Found]:
    """Yield the scalars of a value; `pairs` are the places of numbers in both notations, which are one."""
    if isinstance(value, dict):
        for name, child in value.items():
            yield from _walk(child, f"{field}.{name}", (*at, name), pairs)
    elif isinstance(value, list) and at in pairs:
        yield Found(field, value[0], _joined(at), value[0])
    elif isinstance(value, list):
        for index, child in enumerate(value):
            yield from _walk(child, field, (*at, index), pairs)
    elif value is not None:
        yield Found(field, value, _joined(at), value)


def _joined(path: Iterable[str | int]) -> str:
    return ".".join(map(str, path))
