"""Seeded random choices that are the same in every process, Python version and hash seed."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Sequence
from typing import Final, TypeVar

T = TypeVar("T")

_LOWER: Final = "abcdefghijklmnopqrstuvwxyz0123456789"
_UPPER: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"
_MIXED: Final = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"


def digest(*parts: object) -> bytes:
    """Return 16 evenly distributed bytes that are computed from these parts."""
    text = "\x1f".join(map(str, parts))
    return hashlib.blake2b(text.encode(), digest_size=16).digest()


def uniform(*parts: object) -> float:
    """Return a number from 0 (included) to 1 (excluded) that is computed from these parts."""
    return int.from_bytes(digest(*parts)[:6], "big") / (1 << 48)


def uuid_text(bits: int) -> str:
    """Return a random (version 4) UUID of 128 bits, faster than Python's own class."""
    digits = f"{bits:032x}"
    variant = "89ab"[bits >> 60 & 3]
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-{variant}{digits[17:20]}-{digits[20:]}"


class Draw:
    """A stream of random choices from one seed.

    It uses only `random()` and `getrandbits()` of Python's generator: the documentation promises for no other
    method that it returns the same numbers in another version.
    """

    __slots__ = ("_bits", "_real")

    def __init__(self, seed: int) -> None:
        source = random.Random(seed)
        self._real = source.random
        self._bits = source.getrandbits

    def chance(self, probability: float) -> bool:
        """Return True with this probability."""
        return self._real() < probability

    def below(self, bound: int) -> int:
        """Return a whole number from 0 to `bound` - 1."""
        return int(self._real() * bound)

    def between(self, low: int, high: int) -> int:
        """Return a whole number from `low` to `high`, both included."""
        return low + int(self._real() * (high - low + 1))

    def real(self) -> float:
        """Return a number from 0 (included) to 1 (excluded)."""
        return self._real()

    def pick(self, choices: Sequence[T]) -> T:
        """Return one of these."""
        return choices[int(self._real() * len(choices))]

    def hex(self, length: int) -> str:
        """Return this many hexadecimal digits."""
        return f"{self._bits(4 * length):0{length}x}"

    def lower(self, length: int) -> str:
        """Return this many lower-case letters and digits."""
        return self._text(_LOWER, length)

    def upper(self, length: int) -> str:
        """Return this many capitals and digits of the alphabet of AWS's own identifiers."""
        return self._text(_UPPER, length)

    def base64(self, length: int) -> str:
        """Return this many characters of base64 text."""
        return self._text(_MIXED, length)

    def uuid(self) -> str:
        """Return a random (version 4) UUID."""
        return uuid_text(self._bits(128))

    def _text(self, alphabet: str, length: int) -> str:
        bits = self._bits(6 * length)
        size = len(alphabet)
        return "".join([alphabet[(bits >> shift & 63) % size] for shift in range(0, 6 * length, 6)])
