"""Mappings that others made: what can be added to them, and what they contradict."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final

PATHS_NAMED: Final = 10

TAKES_ANY_SCALAR: Final = frozenset({"keyword", "text", "match_only_text", "wildcard", "search_as_you_type"})
TAKES_ANY_OBJECT: Final = frozenset({"flattened", "flat_object"})


@dataclass(frozen=True, slots=True)
class Difference:
    """How an existing mapping differs from ours, in `properties` and paths."""

    missing: dict[str, Any]
    """What can be added: what has no name there yet."""
    contradicting: tuple[str, ...]
    """What has another type there."""
    refusing: frozenset[str]
    """Those of the contradicting paths whose type there does not take every value that ours does."""


def compare(wanted: dict[str, Any], existing: dict[str, Any]) -> Difference:
    """Compare the `properties` of our mapping with those of an existing one.

    A field that is there is never changed: its owner has reasons, and the server would refuse it. A type that
    takes all that ours takes (text for keyword) contradicts ours, as searches differ, but refuses nothing.
    """
    contradicting: list[str] = []
    refusing: list[str] = []

    def missing(ours: dict[str, Any], theirs: dict[str, Any], prefix: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, field in ours.items():
            path = f"{prefix}{name}"
            if name not in theirs:
                found[name] = field
            elif "properties" in field and _is_object(theirs[name]):
                below = missing(field["properties"], theirs[name].get("properties", {}), f"{path}.")
                if below:
                    nested = {"type": "nested"} if _type(theirs[name]) == "nested" else {}
                    found[name] = nested | {"properties": below}
            elif _type(field) != _type(theirs[name]):
                contradicting.append(path)
                if not _takes(theirs[name], field):
                    refusing.append(path)
        return found

    added = _without_dangling(missing(wanted, existing, ""), frozenset(contradicting))
    return Difference(added, tuple(contradicting), frozenset(refusing))


def shortened(paths: Iterable[str]) -> str:
    """Name some paths, and how many more there are."""
    names = sorted(paths)
    more = len(names) - PATHS_NAMED
    return ", ".join(names[:PATHS_NAMED]) + (f" and {more} more" if more > 0 else "")


def _type(field: dict[str, Any]) -> str:
    return str(field.get("type", "object"))


def _is_object(field: dict[str, Any]) -> bool:
    return _type(field) in {"object", "nested"} and field.get("enabled") not in {False, "false"}


def _takes(theirs: dict[str, Any], ours: dict[str, Any]) -> bool:
    """Whether a field of theirs takes every value that ours takes."""
    if _type(theirs) == "object":
        return not _is_object(theirs)
    if _type(ours) == "object" or _type(ours) in TAKES_ANY_OBJECT:
        return _type(theirs) in TAKES_ANY_OBJECT
    return _type(theirs) in TAKES_ANY_SCALAR


def _without_dangling(properties: dict[str, Any], contradicting: frozenset[str]) -> dict[str, Any]:
    """Leave out aliases of what contradicts and of what is below it: one without a field is refused with all."""
    kept: dict[str, Any] = {}
    for name, field in properties.items():
        if contradicting.intersection(accumulate(field.get("path", "").split("."), "{}.{}".format)):
            continue
        below = field.get("properties")
        kept[name] = field if below is None else field | {"properties": _without_dangling(below, contradicting)}
    return kept
