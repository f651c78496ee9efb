"""Split values into lists of a bounded length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

Value = TypeVar("Value")


def split_into_chunks(values: Iterable[Value], size: int) -> Iterator[list[Value]]:
    """Yield the values in lists of `size`; the last one may be shorter, and none is empty."""
    remaining = iter(values)
    while chunk := list(islice(remaining, size)):
        yield chunk
