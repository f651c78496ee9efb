"""Learn the kinds at every path from recorded events, without any value; ``rules/recorded.txt`` stores them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from cloudtrail_elasticsearch.core.documents.catalogue import Catalogue, ValueKind
from cloudtrail_elasticsearch.core.documents.declared_fields import OPEN_OBJECTS
from cloudtrail_elasticsearch.core.encoding import codec
from devstack.catalogue.outlines import kind_of

FILE: Final = "recorded.txt"
Learned = dict[str, set[ValueKind]]

_HEADER: Final = "# The kinds that recorded events have at each path; made by `make learn`.\n"
_NAME = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")


def learn(events: Iterable[bytes], known: Catalogue) -> Learned:
    """Return the kinds in events. Below a map only names of an AWS model are learned; callers chose the others."""
    learned: Learned = {}
    for line in events:
        record = codec.decode(line)
        for name in OPEN_OBJECTS:
            for path, kind in _walk(record.get(name), name, known):
                learned.setdefault(path, set()).add(kind)
    return learned


def _walk(value: Any, path: str, known: Catalogue) -> Iterator[tuple[str, ValueKind]]:
    if isinstance(value, list):
        for element in value:
            yield from _walk(element, path, known)
    elif value is not None:
        yield path, kind_of(value)
        if isinstance(value, dict):
            is_map = any(found.kind is ValueKind.MAP for found in known[path].occurrences)
            for name, child in value.items():
                below = f"{path}.{name}"
                if _NAME.fullmatch(name) and not (is_map and not _is_modelled(known, below)):
                    yield from _walk(child, below, known)


def _is_modelled(known: Catalogue, path: str) -> bool:
    return any(found.operations for found in known[path].occurrences)


def read(text: str) -> Learned:
    """Return the kinds in a file that `write` made."""
    lines = (line.split() for line in text.splitlines() if not line.startswith("#"))
    return {path: set(map(ValueKind, kinds)) for path, *kinds in lines}


def write(learned: Learned) -> str:
    """Return one line for each path, with its kinds."""
    return _HEADER + "".join(f"{path} {' '.join(sorted(learned[path]))}\n" for path in sorted(learned))
