"""How a request's body goes over the wire, to either server."""

from __future__ import annotations

from typing import Final

from isal import igzip

_LEVEL: Final = 1
_LEAST: Final = 1_024
"""Bytes: less is sent as it is."""


def encoded(body: bytes | None, *, compress: bool) -> tuple[bytes | None, dict[str, str]]:
    """Return the body as it is sent, and the headers that say what it is.

    Both clients can compress by themselves, by zlib at its slowest: ten times what isal takes.
    """
    if body is None:
        return None, {}
    if not compress or len(body) < _LEAST:
        return body, {}
    return igzip.compress(body, _LEVEL), {"content-encoding": "gzip"}
