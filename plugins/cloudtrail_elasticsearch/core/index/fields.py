"""The field types of the mappings."""

from __future__ import annotations

from typing import Any, Final

from cloudtrail_elasticsearch.core.search.server import Engine

FLAT_DEPTH_LIMIT: Final = 100
"""The deepest nesting of objects in a ``flattened`` field; the server's default is 20.

https://www.elastic.co/docs/reference/elasticsearch/mapping-reference/flattened
"""


def keyword_field() -> dict[str, Any]:
    """Return a field for exact values."""
    return {"type": "keyword"}


def text_field() -> dict[str, Any]:
    """Return a field for a sentence: it can be searched by words and, up to 512 characters, as a whole."""
    return {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 512}}}


def flat_field(engine: Engine) -> dict[str, Any]:
    """Return a field that accepts an object of any shape and indexes each of its scalars as a keyword."""
    if engine == "opensearch":
        return {"type": "flat_object"}
    return {"type": "flattened", "depth_limit": FLAT_DEPTH_LIMIT}
