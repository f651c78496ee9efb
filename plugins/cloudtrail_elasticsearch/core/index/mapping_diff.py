"""Compares an existing mapping with the loader's: missing fields, different fields, and rejected values."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import Any, Final

PATHS_NAMED: Final = 10
"""The most paths that a message lists."""

TAKES_ANY_SCALAR: Final = frozenset({"keyword", "text", "match_only_text", "wildcard", "search_as_you_type"})
TAKES_ANY_OBJECT: Final = frozenset({"flattened", "flat_object"})


@dataclass(frozen=True, slots=True)
class Difference:
    """The differences between an existing mapping and the loader's."""

    missing: dict[str, Any]
    """The ``properties`` to add: fields whose names do not exist there."""
    differing: tuple[str, ...]
    """Paths that have another type there."""
    rejecting: frozenset[str]
    """Those of the differing paths whose type there does not accept every value that the loader's type accepts."""


def compare_mappings(wanted: dict[str, Any], existing: dict[str, Any]) -> Difference:
    """Compare the ``properties`` of the loader's mapping (`wanted`) with those of an existing one.

    An existing field is never changed: it is its owner's choice, and the server would reject the change. If its
    type accepts all values of the loader's type (text for keyword), the path differs, because searches differ, but
    it rejects nothing.
    """
    differing: list[str] = []
    rejecting: list[str] = []

    def find_missing(ours: dict[str, Any], theirs: dict[str, Any], prefix: str) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for name, field in ours.items():
            path = f"{prefix}{name}"
            if name not in theirs:
                found[name] = field
            elif "properties" in field and _is_object(theirs[name]):
                below = find_missing(field["properties"], theirs[name].get("properties", {}), f"{path}.")
                if below:
                    # Without the type, the server would take the addition for a plain object and reject it.
                    nested = {"type": "nested"} if _type(theirs[name]) == "nested" else {}
                    found[name] = nested | {"properties": below}
            elif "properties" in field or _type(field) != _type(theirs[name]):
                differing.append(path)
                if not _accepts(theirs[name], field):
                    rejecting.append(path)
            elif sub_fields := _find_missing_sub_fields(field, theirs[name]):
                # The rest of the field stays as it is; an alias can point to a sub-field.
                found[name] = theirs[name] | {"fields": sub_fields}
        return found

    added = drop_dangling_targets(find_missing(wanted, existing, ""), frozenset(differing))
    return Difference(added, tuple(differing), frozenset(rejecting))


def shorten_list(paths: Iterable[str]) -> str:
    """Return the first paths, and the number of further ones, for a message."""
    names = sorted(paths)
    more = len(names) - PATHS_NAMED
    return ", ".join(names[:PATHS_NAMED]) + (f" and {more} more" if more > 0 else "")


def drop_dangling_targets(properties: dict[str, Any], differing: frozenset[str]) -> dict[str, Any]:
    """Return the properties without aliases of a differing path or of a path below it, and without such copies.

    The server rejects a whole mapping if an alias in it points to a field that does not exist, and a document if a
    field does not take the values that are copied to it.
    """

    def differs(path: str) -> bool:
        return not differing.isdisjoint(accumulate(path.split("."), "{}.{}".format))

    kept: dict[str, Any] = {}
    for name, field in properties.items():
        if differs(field.get("path", "")):
            continue
        kept[name] = field
        if "properties" in field:
            kept[name] = field | {"properties": drop_dangling_targets(field["properties"], differing)}
        elif "copy_to" in field:
            kept[name] = field | {"copy_to": [path for path in field["copy_to"] if not differs(path)]}
    return kept


def _find_missing_sub_fields(ours: dict[str, Any], theirs: dict[str, Any]) -> dict[str, Any]:
    existing = theirs.get("fields", {})
    return {name: field for name, field in ours.get("fields", {}).items() if name not in existing}


def _type(field: dict[str, Any]) -> str:
    return str(field.get("type", "object"))


def _is_object(field: dict[str, Any]) -> bool:
    return _type(field) in {"object", "nested"} and field.get("enabled") not in {False, "false"}


def _accepts(theirs: dict[str, Any], ours: dict[str, Any]) -> bool:
    """Return whether a field of the existing mapping accepts every value that the loader's field accepts."""
    if _type(theirs) == "object":
        # An object with `enabled: false` takes any value, because it is only stored.
        return not _is_object(theirs)
    # A field of scalars rejects objects; a point is written as one.
    if _type(ours) in {"object", "geo_point"} or _type(ours) in TAKES_ANY_OBJECT:
        return _type(theirs) in TAKES_ANY_OBJECT
    # Any other type, such as a date or a number, rejects some texts.
    return _type(theirs) in TAKES_ANY_SCALAR
