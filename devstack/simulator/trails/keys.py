"""The simulated CloudTrail's own RSA keys, which sign the digests: one per Region and half-year.

They are computed from a seed, so that every process has the same keys and none is stored anywhere. They protect
nothing. "Each digest file is signed with a private key unique to its Region":
https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_ListPublicKeys.html
"""

from __future__ import annotations

import functools
import hashlib
import random
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import (
    RSAPrivateKey,
    RSAPrivateNumbers,
    RSAPublicNumbers,
    rsa_crt_dmp1,
    rsa_crt_dmq1,
    rsa_crt_iqmp,
)
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from devstack.simulator.draw import digest

PERIOD: Final = 180 * 86_400
"""Seconds for which a key signs."""

_EXPONENT: Final = 65_537
_SIEVE: Final = 4096
_WITNESSES: Final = (2, 3, 5, 7)


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A key pair, and the time of its use in epoch seconds. `public` is PKCS #1 in DER form."""

    private: RSAPrivateKey
    public: bytes
    fingerprint: str
    start: int
    end: int

    def sign(self, text: str) -> str:
        """Return the signature (RSA, PKCS #1 v1.5, SHA-256) of a text, as hexadecimal digits."""
        return self.private.sign(text.encode(), PKCS1v15(), SHA256()).hex()


@dataclass(frozen=True, slots=True)
class SigningKeys:
    """The keys of all Regions. With 1,024 `bits` a signature costs a fifth of the time."""

    seed: int = 1
    bits: int = 2048

    def at(self, region: str, time: int) -> SigningKey:
        """Return the key that a Region signs with at this time."""
        return _key(self.seed, self.bits, region, time // PERIOD)

    def between(self, region: str, start: int, end: int) -> list[SigningKey]:
        """Return the keys that a Region signs with in a range of time, both ends included."""
        return [_key(self.seed, self.bits, region, period) for period in range(start // PERIOD, end // PERIOD + 1)]


@functools.lru_cache(maxsize=256)
def _key(seed: int, bits: int, region: str, period: int) -> SigningKey:
    # random.Random.getrandbits returns the same numbers in every version of Python.
    source = random.Random(int.from_bytes(digest("key", seed, bits, region, period), "big"))
    p, q = _prime(source, bits // 2), _prime(source, bits // 2)
    d = pow(_EXPONENT, -1, (p - 1) * (q - 1))
    public = RSAPublicNumbers(_EXPONENT, p * q)
    numbers = RSAPrivateNumbers(p, q, d, rsa_crt_dmp1(d, p), rsa_crt_dmq1(d, q), rsa_crt_iqmp(p, q), public)
    private = numbers.private_key()
    der = private.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)
    fingerprint = hashlib.md5(der, usedforsecurity=False).hexdigest()
    return SigningKey(private, der, fingerprint, period * PERIOD, (period + 1) * PERIOD)


def _prime(source: random.Random, bits: int) -> int:
    """Return a prime of this size whose two highest bits are 1, so that a product of two has twice the size."""
    while True:
        first = source.getrandbits(bits) | 3 << (bits - 2) | 1
        for candidate in _sieved(first):
            if candidate % _EXPONENT != 1 and _is_prime(candidate):
                return candidate


def _sieved(first: int) -> Iterator[int]:
    """Yield the odd numbers from an odd number on that no small prime divides."""
    composite = bytearray(_SIEVE)
    for prime in _small_primes():
        offset = -first % prime
        place = (offset if offset % 2 == 0 else offset + prime) // 2
        composite[place::prime] = b"\1" * len(range(place, _SIEVE, prime))
    return (first + 2 * place for place in range(_SIEVE) if not composite[place])


def _is_prime(number: int) -> bool:
    """Return whether a number passes Miller and Rabin's test; a random composite of 512 bits never does."""
    odd, twos = number - 1, 0
    while odd % 2 == 0:
        odd, twos = odd // 2, twos + 1
    return all(_passes(number, pow(witness, odd, number), twos) for witness in _WITNESSES)


def _passes(number: int, power: int, twos: int) -> bool:
    if power in (1, number - 1):
        return True
    for _ in range(twos - 1):
        power = power * power % number
        if power == number - 1:
            return True
    return False


@functools.cache
def _small_primes() -> tuple[int, ...]:
    found: list[int] = []
    for number in range(3, 20_000, 2):
        if all(number % prime for prime in found if prime * prime <= number):
            found.append(number)
    return tuple(found)
