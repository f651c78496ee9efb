"""Sessions of roles: temporary credentials that a restarted simulator still recognizes.

The session token contains the session, sealed with the simulator's key. The end of an access key is computed from
its beginning, so the keys of sessions differ from all others without a list.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from collections import Counter
from dataclasses import dataclass
from typing import Final

import orjson

_SEAL: Final = 16
_RANDOM: Final = 12
_CHECK: Final = 4


class InvalidSessionError(Exception):
    """The session token is not that of the access key."""


@dataclass(frozen=True, slots=True)
class Session:
    """A session of a role. `expires` is in epoch seconds; `role` is the role's name with its path."""

    account: str
    role: str
    name: str
    expires: int
    generation: int


@dataclass(frozen=True, slots=True)
class Credentials:
    """The credentials of a session."""

    access_key: str
    secret_key: str
    token: str


class Sessions:
    """Makes and reads the credentials of sessions. The same `key` reads them after a restart, too."""

    def __init__(self, key: bytes) -> None:
        self._key = key
        self._generations: Counter[str] = Counter()

    def issue(self, account: str, role: str, name: str, expires: int) -> Credentials:
        """Return the credentials of a new session."""
        text = base64.b32encode(secrets.token_bytes(8)).decode()[:_RANDOM]
        access_key = f"ASIA{text}{self._check(text)}"
        body = orjson.dumps([access_key, account, role, name, expires, self._generations[account]])
        token = base64.b64encode(self._seal(body) + body).decode()
        return Credentials(access_key, secrets.token_urlsafe(30), token)

    def has_issued(self, access_key: str) -> bool:
        """Return whether an access key is that of a session."""
        text = access_key.removeprefix("ASIA")
        return len(access_key) == 4 + _RANDOM + _CHECK and text[_RANDOM:] == self._check(text[:_RANDOM])

    def read(self, access_key: str, token: str | None) -> Session:
        """Return the session of an access key, which may have expired.

        :raises InvalidSessionError: there is no token, or it is not the access key's
        """
        try:
            sealed = base64.b64decode(token or "", validate=True)
        except ValueError:
            raise InvalidSessionError from None
        seal, body = sealed[:_SEAL], sealed[_SEAL:]
        if not hmac.compare_digest(seal, self._seal(body)):
            raise InvalidSessionError
        owner, *fields = orjson.loads(body)
        if owner != access_key:
            raise InvalidSessionError
        return Session(*fields)

    def has_expired(self, session: Session, now: float) -> bool:
        """Return whether a session has expired, by its time or by `expire`."""
        return now >= session.expires or session.generation < self._generations[session.account]

    def expire(self, account: str) -> None:
        """Make all present sessions of an account expire at once."""
        self._generations[account] += 1

    def _check(self, text: str) -> str:
        return base64.b32encode(self._seal(text.encode())).decode()[:_CHECK]

    def _seal(self, body: bytes) -> bytes:
        return hashlib.blake2b(body, key=self._key, digest_size=_SEAL).digest()
