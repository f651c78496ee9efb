"""Whether a flat field takes a value as it is: the quick answer for nearly every value there is.

A yes is certain. A no says that `normalize` has to walk the value with care, which may come to the same.
"""

from __future__ import annotations

from typing import Any, Final

from cloudtrail_elasticsearch.core.events import PLAIN_BYTES

SMALLEST_PLAIN: Final = 1e-3
SMALLEST_GREAT: Final = 1e7
"""From here on, and below the other, Java writes numbers in scientific notation."""

SAFE_DEPTH: Final = 25
"""Levels that are never too many, below as many names."""

SAFE_NAME: Final = 64
SAFE_TYPES: Final[frozenset[type]] = frozenset({str, int, bool, type(None)})


def is_flat(value: Any, depth: int = SAFE_DEPTH) -> bool:
    """Whether a flat field takes a value as it is."""
    if isinstance(value, str):
        return len(value) <= PLAIN_BYTES and value.isascii()
    if isinstance(value, dict):
        if not depth:
            return False
        for name, child in value.items():
            if len(name) > SAFE_NAME or not (name.isascii() and name.isprintable()):
                return False
            if not is_flat(child, depth - 1):
                return False
        return True
    if isinstance(value, list):
        return depth > 0 and all(is_flat(element, depth - 1) for element in value)
    return not isinstance(value, float) or is_plain(value)


def is_shallow(value: Any, depth: int = SAFE_DEPTH) -> bool:
    """Whether a flat field takes a value of a plain event as it is: every text in it is known to fit."""
    kind = type(value)
    if kind is dict:
        if value and max(map(len, value)) > SAFE_NAME:
            return False
        value = value.values()
    elif kind is not list:
        return kind is not float or is_plain(value)
    if not depth:
        return False
    for child in value:  # twice as quick as `all` of a generator
        if type(child) in SAFE_TYPES:
            continue
        if not is_shallow(child, depth - 1):
            return False
    return True


def is_plain(number: float) -> bool:
    """Whether Python and Java write a fraction alike."""
    return SMALLEST_PLAIN <= abs(number) < SMALLEST_GREAT or not number
