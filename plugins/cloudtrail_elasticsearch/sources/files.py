"""Events from files: newline-delimited JSON, CloudTrail's ``{"Records": […]}``, staged parts, or gzip of these."""

from __future__ import annotations

import gzip
import io
import sys
import zlib
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import IO, Any, Final

from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.errors import ConfigurationError

_GZIP: Final = b"\x1f\x8b"


def read_lines(files: Iterable[str]) -> Iterator[bytes]:
    """Yield a line for every event of the files; ``-`` is standard input.

    A line that is not JSON is yielded as it is, for the reader to say what is wrong with it.

    :raises ConfigurationError: a file cannot be read, or is cut short
    """
    for name in files:
        try:
            if name == "-":
                yield from _events(sys.stdin.buffer)
            else:
                with Path(name).open("rb") as stream:
                    yield from _events(stream)
        except (OSError, EOFError, zlib.error) as error:
            raise ConfigurationError(f"The file {name} cannot be read: {error}.") from error


def _events(stream: IO[bytes]) -> Iterator[bytes]:
    buffered = io.BufferedReader(stream)  # type: ignore[type-var]
    unpacked: Iterable[bytes] = gzip.GzipFile(fileobj=buffered) if buffered.peek(2)[:2] == _GZIP else buffered
    lines = (line for line in unpacked if line.strip())
    first = next(lines, None)
    if first is None:
        return
    if _is_json(first):
        for line in chain([first], lines):
            yield from _records(line)
    else:
        yield from _indented(b"".join(chain([first], lines)))


def _is_json(line: bytes) -> bool:
    try:
        codec.decode(line)
    except ValueError:
        return False
    return True


def _records(line: bytes) -> Iterator[bytes]:
    """Yield the line, or the records in it where it is one of CloudTrail's files."""
    if not line.lstrip().startswith(b'{"Records"'):
        yield line.rstrip(b"\r\n")
        return
    yield from _indented(line)


def _indented(text: bytes) -> Iterator[bytes]:
    """Yield the events of a JSON text that is more than a line: a file of CloudTrail's, a list, one event."""
    try:
        value: Any = codec.decode(text)
    except ValueError:
        yield from text.splitlines()
        return
    if isinstance(value, dict) and isinstance(value.get("Records"), list):
        value = value["Records"]
    for record in value if isinstance(value, list) else [value]:
        yield codec.encode(record)
