"""NextToken: the position where the next page starts, sealed together with its request."""

from __future__ import annotations

import base64
import hashlib
import hmac
import secrets
from dataclasses import dataclass
from typing import Final

import orjson

from devstack.simulator.store import Position

_SEAL: Final = 16


class InvalidTokenError(Exception):
    """A token of another service, of another request, or an expired one."""


@dataclass(frozen=True, slots=True)
class Tokens:
    """Makes and reads tokens. `lifetime` is in seconds; the same `key` reads them after a restart, too.

    AWS documents that a token must come with the parameters of the call that returned it, and no lifetime.
    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html
    """

    key: bytes
    lifetime: float = 3600.0

    def make(self, position: Position, request: bytes, now: float) -> str:
        """Return the token of the page of the events before a position; `request` identifies all parameters."""
        body = orjson.dumps([*position, now, secrets.token_hex(4)])
        return base64.b64encode(self._seal(body, request) + body).decode()

    def read(self, token: str, request: bytes, now: float) -> Position:
        """Return the position in a token.

        :raises InvalidTokenError: the token is not of this request, or has expired
        """
        try:
            sealed = base64.b64decode(token, validate=True)
        except ValueError:
            raise InvalidTokenError("no token of this service") from None
        seal, body = sealed[:_SEAL], sealed[_SEAL:]
        if not hmac.compare_digest(seal, self._seal(body, request)):
            raise InvalidTokenError("not made for these parameters")
        time, event_id, made, _ = orjson.loads(body)
        if now - made > self.lifetime:
            raise InvalidTokenError("expired")
        return (time, event_id)

    def _seal(self, body: bytes, request: bytes) -> bytes:
        return hashlib.blake2b(request + b"\x00" + body, key=self.key, digest_size=_SEAL).digest()
