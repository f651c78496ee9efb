"""Values that are kept as their JSON text, because no Python value represents them safely or exactly.

An object or list deeper than `MAX_LEVELS` stays text, because a walk could overrun the stack. An object with a
repeated name stays text, because a dictionary keeps one value of a name.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any, Final, TypeAlias, Union

import msgspec

from cloudtrail_elasticsearch.core.encoding.tokens import CLOSE, NAME, OPEN, SCALAR, compact, read_tokens

MAX_LEVELS: Final = 100
"""Levels of nested objects and lists that become values; deeper ones stay text.

The servers reject documents of more than 1,000 levels. Python raises RecursionError at about as many, and at fewer
in a thread with a small stack.
"""

_decode_scalar: Final = msgspec.json.Decoder().decode


class Verbatim(msgspec.Struct, frozen=True):
    """An object or a list that is kept as its JSON text, without blanks."""

    text: str

    @property
    def is_object(self) -> bool:
        """Whether it is an object, not a list."""
        return self.text.startswith("{")

    def read_scalars(self) -> Iterator[Any]:
        """Yield every scalar in it except null."""
        for kind, begin, end in read_tokens(self.text):
            if kind == SCALAR and (value := read_scalar(self.text[begin:end])) is not None:
                yield value

    def read_members(self) -> list[tuple[str, str]]:
        """Return the names of an object, each with the JSON text of its value, in their order."""
        members: list[tuple[str, str]] = []
        depth = 0
        name, started = "", 0
        for kind, begin, end in read_tokens(self.text):
            if kind == CLOSE:
                depth -= 1
            if depth == 1 and kind == NAME:
                name = _read_name(self.text[begin:end])
            elif depth == 1 and kind in {SCALAR, CLOSE}:
                members.append((name, self.text[begin if kind == SCALAR else started : end]))
            if kind == OPEN:
                # At depth 1, a member of the top object begins with this bracket.
                started = begin if depth == 1 else started
                depth += 1
        return members


Json: TypeAlias = Union["dict[str, Json]", "list[Json]", str, int, float, bool, Verbatim, None]
"""A decoded JSON value."""


class _Container:
    """An object or list that is being read."""

    __slots__ = ("begin", "name", "repeats", "value")

    def __init__(self, begin: int, opening: str) -> None:
        self.begin = begin
        self.value: dict[str, Any] | list[Any] = {} if opening == "{" else []
        self.name = ""
        self.repeats = False

    def rename(self, name: str) -> None:
        """Set the name of the next value."""
        self.name = name
        self.repeats = self.repeats or name in self.value

    def add(self, value: Any) -> None:
        """Add the next value."""
        if isinstance(self.value, dict):
            self.value[self.name] = value
        else:
            self.value.append(value)


def read_exactly(text: str, levels: int) -> Any:
    """Return the value of a JSON text, with a `Verbatim` for each part that has to stay text.

    :param levels: how many levels of objects and lists become values
    :raises ValueError: the text is not JSON
    """
    # A list around the text, so that the top value is added like any other.
    outside = _Container(0, "[")
    around = [outside]
    cut = depth = 0
    for kind, begin, end in read_tokens(text):
        if kind == OPEN:
            depth += 1
            if depth <= levels:
                around.append(_Container(begin, text[begin]))
            elif depth == levels + 1:
                # The first bracket below the limit; the text up to its partner stays text.
                cut = begin
        elif kind == CLOSE:
            depth -= 1
            if depth < levels:
                closed = around.pop()
                whole = Verbatim(compact(text[closed.begin : end])) if closed.repeats else closed.value
                around[-1].add(whole)
            elif depth == levels:
                around[-1].add(Verbatim(compact(text[cut:end])))
        elif depth <= levels:
            token = text[begin:end]
            if kind == NAME:
                around[-1].rename(_read_name(token))
            else:
                around[-1].add(read_scalar(token))
    assert isinstance(outside.value, list)  # noqa: S101 - for the type checker
    return outside.value[0]


def read_scalar(token: str) -> Any:
    """Return the value of a JSON text that is a string, a number, a boolean or null."""
    try:
        return _decode_scalar(token)
    except (msgspec.DecodeError, UnicodeEncodeError):
        # NaN and infinities become their text, because JSON has no way to write them back.
        return json.loads(token, parse_float=_finite, parse_int=_whole, parse_constant=str)


def _read_name(token: str) -> str:
    # Most names have no escape, and need no decoding.
    return str(read_scalar(token)) if "\\" in token else token[1:-1]


def _finite(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits


def _whole(digits: str) -> int | str:
    try:
        return int(digits)
    except ValueError:  # thousands of digits: sys.set_int_max_str_digits
        return digits
