"""Moves values that an index rejects to other fields, so that it takes the document and no value is lost.

- a path of the event goes, under the same path, to ``overflow``;
- a path in ``overflow`` goes to ``unindexed``;
- a field that the loader adds (``@timestamp``, ``source.ip`` …) is dropped: its value is elsewhere in the
  document.

A displaced document restores to the same event: values are split as the normalizer splits them, and `restore`
merges the parts again.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final

from cloudtrail_elasticsearch.core.documents.parts import MISSING, merge
from cloudtrail_elasticsearch.core.documents.restore import DERIVED, restore
from cloudtrail_elasticsearch.core.documents.unindexed import set_aside

FIXED: Final = frozenset({"unindexed", "normalization"})
"""Fields that are never moved: the event is restored from them."""


def displace(source: dict[str, Any], paths: Iterable[str]) -> dict[str, Any]:
    """Return a document of the same event, without values at these paths."""
    for path in sorted(paths, key=_overflow_last):
        names = path.split(".")
        if names[0] in FIXED:
            continue
        left, taken = _part(source, names)
        # A key with dots and nested keys can both match a path; each pass takes one of them.
        while taken is not MISSING:
            if names[0] == "overflow":
                # Without a path: `restore` merges it with the whole event.
                left["unindexed"] = [*left.get("unindexed", ()), *set_aside([], taken["overflow"])]
            # The values of derived fields are elsewhere in the document, so they are dropped.
            elif names[0] not in DERIVED:
                left["overflow"] = merge(left.get("overflow"), taken)
            source = left
            left, taken = _part(source, names)
    return source


def seal(source: dict[str, Any]) -> dict[str, Any]:
    """Return a document that holds its event in ``unindexed`` alone: the last resort."""
    # The time stays a field, so that searches by time find the document.
    time = {"@timestamp": source["@timestamp"]} if "@timestamp" in source else {}
    return time | {"unindexed": set_aside([], restore(source))}


def standing(source: dict[str, Any], path: str) -> str | None:
    """Return the longest start of a server's path that the document has; None if it has none."""
    names = path.split(".")
    # The server can name a sub-field of the mapping, such as `eventName.keyword`, which no document has.
    for end in range(len(names), 0, -1):
        if _part(source, names[:end])[1] is not MISSING:
            return ".".join(names[:end])
    return None


def _overflow_last(path: str) -> tuple[bool, str]:
    """Sort key: paths in ``overflow`` come last, after the values that move there."""
    return path.partition(".")[0] == "overflow", path


def _part(value: Any, names: Sequence[str]) -> tuple[Any, Any]:
    """Split a value into the part without a path and the part at the path, each inside its parents.

    Lists are passed through and keep their length in both parts. A key with dots matches several names.
    """
    if not names:
        return MISSING, value
    if isinstance(value, list):
        parts = [_part(element, names) for element in value]
        if all(taken is MISSING for _, taken in parts):
            return value, MISSING
        return [left for left, _ in parts], [None if taken is MISSING else taken for _, taken in parts]
    if isinstance(value, dict):
        for end in range(1, len(names) + 1):
            key = ".".join(names[:end])
            left, taken = _part(value[key], names[end:]) if key in value else (MISSING, MISSING)
            if taken is not MISSING:
                others = {name: child for name, child in value.items() if name != key}
                return others if left is MISSING else others | {key: left}, {key: taken}
    return value, MISSING
