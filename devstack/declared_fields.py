"""Makes ``rules/fields.txt`` from recorded events: ``python -m devstack.declared_fields FILE… > fields.txt``.

A path is listed where some event has a scalar there and none an object: objects have fields below them, and
their scalars go to `overflow`, unless a rule wraps them.
"""

from __future__ import annotations

import gzip
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.shape import OPEN_OBJECTS

_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


def main() -> None:
    """Print the paths of the files named on the command line."""
    scalars: set[str] = set()
    objects: set[str] = set()
    for file in sys.argv[1:]:
        for line in gzip.decompress(Path(file).read_bytes()).splitlines():
            record = codec.decode(line)
            for name in OPEN_OBJECTS:
                for path, value in _walk(record.get(name), name):
                    (objects if isinstance(value, dict) else scalars).add(path)
    print("# Keyword fields of the open objects, made from recorded events by devstack/declared_fields.py.")
    print("\n".join(sorted(scalars - objects - set(OPEN_OBJECTS))))


def _walk(value: Any, path: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, list):
        for element in value:
            yield from _walk(element, path)
    elif value is not None:
        yield path, value
        if isinstance(value, dict):
            for name, child in value.items():
                if _NAME.fullmatch(name):
                    yield from _walk(child, f"{path}.{name}")


if __name__ == "__main__":
    main()
