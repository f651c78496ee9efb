"""Whether a value can go into its document as it is: the quick answer for nearly every value there is.

A yes is certain. A no says that `normalize` has to walk the value with care, which may come to the same.
"""

from __future__ import annotations

from typing import Any, Final

from cloudtrail_elasticsearch.core.events import PLAIN_BYTES, is_usual_time, parse_time
from cloudtrail_elasticsearch.core.shape import Kind, Node

SAFE_CHARACTERS: Final = PLAIN_BYTES
"""A text of so many characters cannot reach the longest term, however it is encoded and whatever its path."""

SMALLEST_PLAIN: Final = 1e-3
SMALLEST_GREAT: Final = 1e7
"""From here on, and below the other, Java writes numbers in scientific notation."""

SAFE_DEPTH: Final = 25
"""Levels that are never too many, below as many names."""

_SAFE_NAME: Final = 64

# The members of an enum are slow to look up.
_OBJECT, _KEYWORD, _BOOLEAN, _DATE = Kind.OBJECT, Kind.KEYWORD, Kind.BOOLEAN, Kind.DATE
_FLAT, _UNMAPPED = Kind.FLAT, Kind.UNMAPPED
_WHOLE = (_FLAT, _UNMAPPED)
_NONE: Final[frozenset[type]] = frozenset()


class Unfit(dict[str, "Unfit | None"]):
    """The names in an object of what does not fit, with those in it where it is an object in its turn."""


def fits(value: Any, node: Node) -> bool:
    """Whether a value stands at its declared path as it is, whole."""
    if node.rules and node.rule_for(value) is not None:
        return False
    kind = node.kind
    if isinstance(value, dict):
        if kind is _OBJECT:
            return not unfit(value, node)
        return kind is _FLAT and "" not in value and node.children.keys().isdisjoint(value) and is_flat(value)
    if isinstance(value, list):
        return kind not in _WHOLE and all(fits(element, node) for element in value)
    return (value is None and kind is not _UNMAPPED) or _scalar_fits(value, kind)


def unfit(value: dict[str, Any], node: Node) -> Unfit | None:
    """Return the names in an object of what does not stand at its declared path as it is; None for nothing."""
    children = node.children
    names = Unfit()
    for name, child in value.items():
        known = children.get(name)
        if known is None:
            names[name] = None
        elif type(child) is str and known.kind is _KEYWORD and not known.rules:
            if len(child) > SAFE_CHARACTERS or not child.isascii():
                names[name] = None
        elif not fits(child, known):
            names[name] = None
    return names or None


def unfit_plain(value: dict[str, Any], node: Node) -> Unfit | None:
    """Return what `unfit` does, of a plain event, in which no text has to be looked at; None for nothing."""
    children, takes = node.children, node.takes
    names: Unfit | None = None
    for name, child in value.items():
        kind = type(child)
        if kind in takes.get(name, _NONE):
            continue
        known = children.get(name)
        inner: Unfit | None = None
        if known is not None:
            if kind is dict and known.kind is _OBJECT and not known.rules:
                inner = unfit_plain(child, known)
                if inner is None:
                    continue
            elif _fits_plain(child, known):
                continue
        if names is None:
            names = Unfit()
        names[name] = inner
    return names


def _fits_plain(value: Any, node: Node) -> bool:
    kind = node.kind
    if kind is _DATE and is_usual_time(value) and not node.rules:
        return True
    if node.rules and node.rule_for(value) is not None:
        return False
    if isinstance(value, dict):
        if kind is _OBJECT:
            return unfit_plain(value, node) is None
        return kind is _FLAT and "" not in value and node.children.keys().isdisjoint(value) and is_flat(value)
    if isinstance(value, list):
        return kind not in _WHOLE and all(_fits_plain(element, node) for element in value)
    if value is None:
        return kind is not _UNMAPPED
    return _scalar_fits(value, kind)


def is_flat(value: Any, depth: int = SAFE_DEPTH) -> bool:
    """Whether a flat field takes a value as it is."""
    if isinstance(value, str):
        return len(value) <= SAFE_CHARACTERS and value.isascii()
    if isinstance(value, dict):
        if not depth:
            return False
        for name, child in value.items():
            if len(name) > _SAFE_NAME or not (name.isascii() and name.isprintable()):
                return False
            if not is_flat(child, depth - 1):
                return False
        return True
    if isinstance(value, list):
        return depth > 0 and all(is_flat(element, depth - 1) for element in value)
    return not isinstance(value, float) or is_plain(value)


def is_plain(number: float) -> bool:
    """Whether Python and Java write a fraction alike."""
    return SMALLEST_PLAIN <= abs(number) < SMALLEST_GREAT or not number


def _scalar_fits(value: Any, kind: Kind) -> bool:
    if kind is _KEYWORD:
        if isinstance(value, str):
            return len(value) <= SAFE_CHARACTERS and value.isascii()
        return not isinstance(value, float) or is_plain(value)
    if kind is _BOOLEAN:
        return isinstance(value, bool)
    return kind is _DATE and parse_time(value) is not None
