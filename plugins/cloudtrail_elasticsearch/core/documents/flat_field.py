"""Checks whether a flat field takes a value as it is. The check is fast and covers nearly every value.

A yes is certain. After a no, `FlatPlacing` walks the value, and may still find that it fits.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cloudtrail_elasticsearch.core.documents.events import SHORT_TEXT
from cloudtrail_elasticsearch.core.encoding.codec import Json

SAFE_DEPTH: Final = 25
"""Levels of objects and lists that a flat field always takes, below as many names."""

SAFE_NAME: Final = 64
"""Characters of a name that a flat field always takes."""

SAFE_TYPES: Final[frozenset[type]] = frozenset({int, bool, type(None)})
"""The types of scalars of which a flat field takes every value."""

SMALLEST_PLAIN: Final = 1e-3
SMALLEST_GREAT: Final = 1e7
"""Java writes numbers from this one on, and those below the other, in scientific notation."""


def is_flat(value: Json, depth: int = SAFE_DEPTH, *, are_short: bool = False) -> bool:
    """Whether a flat field takes a value as it is.

    :param depth: levels of objects and lists that are allowed
    :param are_short: whether every text and name in it is known to be ASCII, and every text to be short
    """
    children: Iterable[Json]
    if type(value) is dict:
        if not are_safe_names(value, are_short=are_short):
            return False
        children = value.values()
    elif type(value) is list:
        children = value
    else:
        return is_flat_scalar(value)
    if not depth:
        return False
    for child in children:
        kind = type(child)
        # The loop repeats `is_flat_scalar` inline: a call would cost more than the check.
        if kind is str:
            if not are_short and (len(child) > SHORT_TEXT or not child.isascii()):  # type: ignore[arg-type, union-attr]
                return False
        elif kind not in SAFE_TYPES and not is_flat(child, depth - 1, are_short=are_short):
            return False
    return True


def is_flat_scalar(value: Json) -> bool:
    """Whether a flat field takes a scalar as it is; False for any other value."""
    if type(value) is str:
        return len(value) <= SHORT_TEXT and value.isascii()
    return type(value) in SAFE_TYPES or (type(value) is float and has_one_notation(value))


def are_safe_names(names: Iterable[str], *, are_short: bool = False) -> bool:
    """Whether a flat field takes these names: short, printable and ASCII."""
    # One check of all names together is faster than a check of each.
    joined = "".join(names)
    if len(joined) > SAFE_NAME and max(map(len, names)) > SAFE_NAME:
        return False
    return are_short or (joined.isascii() and joined.isprintable())


def has_one_notation(number: float) -> bool:
    """Whether Python and Java write a fraction alike."""
    # Java writes zero as 0.0, too.
    return SMALLEST_PLAIN <= abs(number) < SMALLEST_GREAT or not number
