"""JSON and plain values as values of a declared type, read in any thread.

msgspec (0.22) keeps what it learns about a class at the first use. If two threads use a class for the first time
at once, one of them reads this unfinished, and the process crashes or never ends. So the first use of every type
happens here, in one thread at a time. Only this module calls msgspec's functions that take a type.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final, TypeVar, overload

import msgspec

Value = TypeVar("Value")

_lock: Final = threading.Lock()
_decoders: Final[dict[Any, msgspec.json.Decoder[Any]]] = {}


@overload
def convert(value: Any, kind: type[Value], *, strict: bool = True) -> Value: ...
@overload
def convert(value: Any, kind: Any, *, strict: bool = True) -> Any: ...
def convert(value: Any, kind: Any, *, strict: bool = True) -> Any:
    """Return plain values, such as those of decoded JSON, as a value of a type.

    :param strict: false: texts can stand for numbers and booleans
    :raises msgspec.ValidationError: they do not fit the type
    """
    _decoder(kind)
    return msgspec.convert(value, kind, strict=strict)


def decode(text: bytes | str, kind: type[Value]) -> Value:
    """Return a JSON text as a value of a type.

    :raises msgspec.MsgspecError: it is not JSON, or does not fit the type
    """
    value: Value = _decoder(kind).decode(text)
    return value


def make_decode(kind: type[Value]) -> Callable[[bytes | memoryview | str], Value]:
    """Return a function that decodes a JSON text into a value of a type. Only the function holds its decoder."""
    with _lock:
        return msgspec.json.Decoder(kind).decode


def _decoder(kind: Any) -> msgspec.json.Decoder[Any]:
    known = _decoders.get(kind)
    if known is None:
        with _lock:
            known = _decoders.get(kind) or msgspec.json.Decoder(kind)
            _decoders[kind] = known
    return known
