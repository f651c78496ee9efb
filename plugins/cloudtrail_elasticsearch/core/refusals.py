"""What the servers say when they refuse a document, and the path that they blame.

Elasticsearch 8 and 9 and OpenSearch 2 and 3 use the same words, Elasticsearch with the place in the document
before them (``[1:15] …``) and, for what is wrong with a document as a whole, ``failed to parse: …``.
"""

from __future__ import annotations

import re
from typing import Final

_START: Final = r"(?:\[\d+:\d+\] )?(?:failed to parse: )?"

_BLAMING: Final = tuple(
    re.compile(_START + words)
    for words in (
        r"failed to parse field \[(?P<path>.+?)\] of type \[",
        r"object mapping for \[(?P<path>.+?)\] tried to parse field \[",
        r"mapping set to strict, dynamic introduction of \[(?P<path>.+?)\] within \[(?P<parent>.+?)\] is not ",
        r"Could not dynamically add mapping for field \[.+?\]\. Existing mapping for \[(?P<path>.+?)\] must be ",
        r'Document contains at least one immense term in field="(?P<path>.+?)" \(',
        r"Cannot write to a field alias \[(?P<path>.+?)\]",
        r"unknown join name \[.*?\] for field \[(?P<path>.+?)\]",
        r"mapper \[(?P<path>.+?)\] cannot be changed from type \[",
        r"Limit of mapping depth \[\d+\] has been exceeded due to object field \[(?P<path>.+?)\]",
    )
)
"""Anchored at the beginning: further on, a server quotes the value, which may hold any words."""

_ROOT: Final = "_doc"


def blamed_path(reason: str) -> str | None:
    """Return the path, as the server writes it, whose value it refuses; None where it names none.

    It may go on past what the document holds (``eventName.keyword``, ``overflow._value``): a field can have
    fields of its own.
    """
    for pattern in _BLAMING:
        found = pattern.match(reason)
        if found is None:
            continue
        parent = found.groupdict().get("parent", _ROOT)
        return found["path"] if parent == _ROOT else f"{parent}.{found['path']}"
    return None
