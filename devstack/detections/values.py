"""Values of raw events: found by their paths, and shown as texts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any


def read_path(value: Any, path: str) -> Iterator[Any]:
    """Yield the values at a dotted path, through lists; an object is yielded whole, and null is not a value.

    A name can contain dots: all ways to divide the path into names are followed.
    """
    if isinstance(value, list):
        for each in value:
            yield from read_path(each, path)
    elif isinstance(value, dict):
        names = path.split(".")
        for count in range(1, len(names)):
            name = ".".join(names[:count])
            if name in value:
                yield from read_path(value[name], ".".join(names[count:]))
        yield from _flatten(value.get(path))


def read_scalars(value: Any) -> Iterator[Any]:
    """Yield every scalar of a value except null."""
    if isinstance(value, dict):
        for each in value.values():
            yield from read_scalars(each)
    elif isinstance(value, list):
        for each in value:
            yield from read_scalars(each)
    elif value is not None:
        yield value


def show(value: Any) -> str:
    """Return a value as a text: a text as it is, anything else as compact JSON."""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _flatten(value: Any) -> Iterator[Any]:
    if isinstance(value, list):
        for each in value:
            yield from _flatten(each)
    elif value is not None:
        yield value
