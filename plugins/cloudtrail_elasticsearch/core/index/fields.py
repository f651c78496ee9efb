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


def caseless_field() -> dict[str, Any]:
    """Return a field for exact values in any case; its sub-field ``exact`` has them as they are.

    ``lowercase`` is a built-in normalizer of both engines.
    """
    return {"type": "keyword", "normalizer": "lowercase", "fields": {"exact": keyword_field()}}


def unstored_field(engine: Engine) -> dict[str, Any]:
    """Return a field for texts of which no other copy is stored; they are searched with wildcards."""
    # One copy of each text, where the engine can search it: ES|QL and EQL read doc values, and OpenSearch's query
    # strings reject a field without an index.
    return keyword_field() | ({"doc_values": False} if engine == "opensearch" else {"index": False})


def words_field() -> dict[str, Any]:
    """Return a field for exact values; its sub-field ``text`` is searched by words."""
    # Without norms and positions, which would take most of its size: they only rank hits and find phrases.
    return {"type": "keyword", "fields": {"text": {"type": "text", "norms": False, "index_options": "docs"}}}


def text_field() -> dict[str, Any]:
    """Return a field for a sentence: it can be searched by words and, up to 512 characters, as a whole."""
    return {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 512}}}


def flat_field(engine: Engine) -> dict[str, Any]:
    """Return a field that accepts an object of any shape and indexes each of its scalars as a keyword."""
    if engine == "opensearch":
        return {"type": "flat_object"}
    return {"type": "flattened", "depth_limit": FLAT_DEPTH_LIMIT}
