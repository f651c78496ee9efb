"""Files of any size, made piece by piece and never kept in memory."""

from __future__ import annotations

import codecs
import json
import zlib
from collections.abc import Callable, Iterator

from tests.sources.spellings import compact, looked_up, pretty
from tests.sources.test_spellings import event

EVENT = event(1, requestParameters={"instancesSet": {"items": [{"instanceId": "i-1"}] * 20}}, userAgent="x" * 400)


def _many(one: bytes, size: int, begin: bytes = b"", between: bytes = b"", end: bytes = b"") -> Iterator[bytes]:
    count = max(1, 200_000 // len(one))
    block = between.join([one] * count)
    yield begin
    for number in range(size // len(block) + 1):
        yield between + block if number else block
    yield end


def _records(size: int) -> Iterator[bytes]:
    return _many(compact(EVENT), size, b'{"Records":[', b",", b"]}")


def _gzipped(pieces: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(1, zlib.DEFLATED, zlib.MAX_WBITS + 16)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()


def _utf16(pieces: Iterator[bytes]) -> Iterator[bytes]:
    encoder = codecs.getincrementalencoder("utf-16")()
    return (encoder.encode(piece.decode()) for piece in pieces)


PIECES: dict[str, Callable[[int], Iterator[bytes]]] = {
    "records": _records,
    "list": lambda size: _many(compact(EVENT), size, b"[", b",", b"]"),
    "records, gzip": lambda size: _gzipped(_records(size)),
    "records, UTF-16": lambda size: _utf16(_records(size // 2)),
    "lookup-events": lambda size: _many(compact(looked_up(EVENT, 1)), size, b'{"Events":[', b",", b"]}"),
    "joined": lambda size: _many(compact(EVENT), size),
    "pretty": lambda size: _many(pretty(EVENT), size, b'{\n"Records": [', b",\n", b"]\n}"),
    "records, sorted names": lambda size: _many(
        json.dumps(EVENT, sort_keys=True).encode(), size, b'{"Records": [', b", ", b"]}"
    ),
    "one string": lambda size: _many(b"x", size, b'{"eventID":"', b"", b'"}'),
    "no JSON": lambda size: _many(b"x,", size),
    "blanks, gzip": lambda size: _gzipped(_many(b" ", size)),
}
