"""Moving what an index refuses out of the way, so that it takes the document and no value is lost.

- a path of the event's own goes, under the same path, to ``overflow``;
- what lies in ``overflow``, or all of it, goes to ``unindexed``;
- a field that the loader adds (``@timestamp``, ``source.ip``, ``lookup`` …) is left out: its value stands
  elsewhere in the document or in staging.

A displaced document restores to the same event: a value is parted from its surroundings as the normalizer
parts it, and `normalize.restore` merges the parts again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from cloudtrail_elasticsearch.core.normalize import DERIVED, merge, restore, set_aside

FIXED: Final = frozenset({"unindexed", "normalization"})
"""What a document cannot do without, once it has them: the event is restored from them."""

_MISSING: Final = object()


def displace(source: dict[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """Return a document that has nothing at these paths, and the same event."""
    for path in sorted(paths, key=_overflow_last):
        names = path.split(".")
        if names[0] in FIXED:
            continue
        left, taken = _part(source, names)
        while taken is not _MISSING:
            if names[0] == "overflow":
                left["unindexed"] = [*left.get("unindexed", ()), set_aside([], taken["overflow"])]
            elif names[0] not in DERIVED:
                left["overflow"] = merge(left.get("overflow"), taken)
            source = left
            left, taken = _part(source, names)
    return source


def seal(source: dict[str, Any]) -> dict[str, Any]:
    """Return a document that holds its event in ``unindexed`` alone: the last that can be tried."""
    time = {"@timestamp": source["@timestamp"]} if "@timestamp" in source else {}
    return time | {"unindexed": [set_aside([], restore(source))]}


def standing(source: dict[str, Any], path: str) -> str | None:
    """Return the longest beginning of a server's path that stands in the document; None where none does."""
    names = path.split(".")
    for end in range(len(names), 0, -1):
        if _part(source, names[:end])[1] is not _MISSING:
            return ".".join(names[:end])
    return None


def _overflow_last(path: str) -> tuple[bool, str]:
    """Order paths so that what is moved to ``overflow`` is there when ``overflow`` itself is moved."""
    return path.partition(".")[0] == "overflow", path


def _part(value: Any, names: Sequence[str]) -> tuple[Any, Any]:
    """Part a value into what remains without a path and what stands at it, each in its surroundings.

    Lists are passed through and keep their length in both parts. A key with dots takes several names.
    """
    if not names:
        return _MISSING, value
    if isinstance(value, list):
        parts = [_part(element, names) for element in value]
        if all(taken is _MISSING for _, taken in parts):
            return value, _MISSING
        return [left for left, _ in parts], [None if taken is _MISSING else taken for _, taken in parts]
    if isinstance(value, dict):
        for end in range(1, len(names) + 1):
            key = ".".join(names[:end])
            left, taken = _part(value[key], names[end:]) if key in value else (_MISSING, _MISSING)
            if taken is not _MISSING:
                others = {name: child for name, child in value.items() if name != key}
                return others if left is _MISSING else others | {key: left}, {key: taken}
    return value, _MISSING
