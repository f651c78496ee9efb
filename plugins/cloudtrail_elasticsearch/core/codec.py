"""JSON, exactly: fast for what every event holds, correct for what few do.

msgspec decodes whole numbers of any size exactly (orjson makes floats of those past 64 bits); the standard
library takes what both refuse: lone surrogates, NaN, numbers past the range of a double, whole numbers of
thousands of digits. All but the first cannot be written back as numbers, so they become the text that they were.
"""

from __future__ import annotations

import json
import math
from typing import Any

import msgspec
import orjson

_decoder = msgspec.json.Decoder()


def decode(text: bytes | str) -> Any:
    """Return the value that a JSON text stands for.

    :raises ValueError: it is not JSON, or nested deeper than Python can follow
    """
    try:
        return _decoder.decode(text)
    except (msgspec.DecodeError, RecursionError):
        try:
            return json.loads(text, parse_float=_finite, parse_int=_whole, parse_constant=str)
        except RecursionError as error:
            raise ValueError("nested too deep to be read") from error


def _finite(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits


def _whole(digits: str) -> int | str:
    try:
        return int(digits)
    except ValueError:  # thousands of digits: sys.set_int_max_str_digits
        return digits


def encode(value: Any) -> bytes:
    """Return compact JSON; what orjson refuses (whole numbers past 64 bits, lone surrogates) is escaped."""
    try:
        return orjson.dumps(value)
    except TypeError:
        return json.dumps(value, separators=(",", ":")).encode()


def canonical(value: Any) -> bytes:
    """Return the one JSON text that equal values share: keys sorted, ASCII, no white space."""
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()
