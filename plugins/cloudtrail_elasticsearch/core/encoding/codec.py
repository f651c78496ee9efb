"""Exact JSON: fast for usual events, correct for all others.

msgspec decodes whole numbers of any size exactly (orjson turns those past 64 bits into floats). Texts that it
rejects or decodes with a loss are read token by token: lone surrogates, NaN, numbers past the range of a double,
whole numbers of thousands of digits, repeated names, objects and lists that are nested deeper than Python can
follow. A number that cannot be written back becomes its text. An object or a list that cannot become a value stays
a `Verbatim`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import msgspec
import orjson

from cloudtrail_elasticsearch.core.encoding.tokens import is_deeper
from cloudtrail_elasticsearch.core.encoding.verbatim import MAX_LEVELS, Json, Verbatim, read_exactly

__all__ = [
    "MAX_LEVELS",
    "Json",
    "Verbatim",
    "canonical",
    "decode",
    "decode_answer",
    "encode",
    "is_deep",
]

_decoder = msgspec.json.Decoder()


def decode(text: bytes | str, levels: int = MAX_LEVELS) -> Any:
    """Return the value of a JSON text, with a `Verbatim` for each part that has to stay text.

    :param levels: how many levels of objects and lists become values; what begins deeper stays text
    :raises ValueError: it is not JSON
    """
    levels = max(levels, 0)
    content = _in_bytes(text)
    if not is_deeper(content, levels):
        try:
            value = _decoder.decode(content)
            # msgspec keeps only the last value of a repeated name.
            if _is_complete(content, value):
                return value
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass
    # Rejected, or decoded with a loss: it is read again token by token, which is slower. JSON can also come in
    # UTF-16 and UTF-32.
    return read_exactly(content.decode(json.detect_encoding(content), "surrogatepass"), levels)


def decode_answer(text: bytes | str) -> Any:
    """Return the value of a search server's JSON text, which has no repeated names.

    :raises ValueError: it is not JSON, or nested deeper than Python can follow
    """
    try:
        return _decoder.decode(text)
    except (msgspec.DecodeError, RecursionError):
        return decode(text)


def is_deep(text: bytes | str) -> bool:
    """Whether a JSON text is nested too deep for a recursive decoder; a no is certain."""
    return is_deeper(_in_bytes(text), MAX_LEVELS)


def _in_bytes(text: bytes | str) -> bytes:
    return text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")


def _is_complete(text: bytes, value: Any) -> bool:
    """Whether a value that msgspec decoded holds everything in its text: no object has a repeated name.

    A yes is certain. The encoded value equals the text, or has as many quotes: two for each string, and one for
    each quote in it, unless the text escapes quotes as ``\\u0022``. A lost name has two.
    """
    written = encode(value)
    return written == text or (b"\\u0022" not in text and text.count(b'"') == written.count(b'"'))


def encode(value: Any) -> bytes:
    """Return compact JSON; also of values that orjson rejects: whole numbers past 64 bits, lone surrogates."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return _dump(value)


def canonical(value: Any) -> bytes:
    """Return the one JSON text that equal values share: keys sorted, ASCII, no white space.

    A `Verbatim` is written as it is.
    """
    return _dump(value, is_sorted=True)


def _dump(value: Any, *, is_sorted: bool = False) -> bytes:
    try:
        return json.dumps(value, sort_keys=is_sorted, separators=(",", ":")).encode()
    except TypeError:
        # Only a `Verbatim` comes here: the standard encoder knows all other values.
        return _assemble(value, sorted if is_sorted else list).encode()


def _assemble(value: Any, order: Callable[[Iterable[str]], list[str]]) -> str:
    """Return the JSON text of a value with a `Verbatim` in it, the names of each object in this order.

    orjson's `Fragment` is not used: orjson 3.13 writes past the end of its buffer if a hundred brackets are closed
    after a `Fragment`.
    """
    if isinstance(value, Verbatim):
        return value.text
    if isinstance(value, dict):
        members = [f"{json.dumps(name)}:{_assemble(value[name], order)}" for name in order(value)]
        return f"{{{','.join(members)}}}"
    if isinstance(value, list):
        return f"[{','.join([_assemble(element, order) for element in value])}]"
    return json.dumps(value)
