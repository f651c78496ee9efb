"""The encoding of request bodies, for both servers."""

from __future__ import annotations

from typing import Final

from isal import igzip

_LEVEL: Final = 1
_LEAST_COMPRESSED: Final = 1_024
"""Bytes; a smaller body is not compressed."""


def encode_body(body: bytes | None, *, compress: bool) -> tuple[bytes | None, dict[str, str]]:
    """Return the body to send, and the headers for its encoding.

    Both clients can compress too, but use zlib at its slowest level, which takes ten times as long as isal.
    """
    if body is None:
        return None, {}
    # A small body fits into few network packets anyway.
    if not compress or len(body) < _LEAST_COMPRESSED:
        return body, {}
    return igzip.compress(body, _LEVEL), {"content-encoding": "gzip"}
