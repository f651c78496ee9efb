"""One document, whichever source, on the real servers. ADR-0019"""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.documents.schema import Schema
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.loading.loader import Loader, LoadSettings
from tests.core.test_fast_path import LOOKUP
from tests.search.test_kinds import ask, prefix, schema, server
from tests.untimed import drop_times

__all__ = ["prefix", "schema", "server"]


@pytest.mark.promise("order-free", "no-duplicates")
def test_every_order_of_the_sources_leaves_the_same_documents(
    server: Any, prefix: str, schema: Schema, recorded_events: list[dict[str, Any]]
) -> None:
    """LookupEvents then a trail, a trail then LookupEvents, and both in one request."""
    bare = [codec.encode(event) for event in recorded_events[:200]]
    staged = [codec.encode({"lookup": LOOKUP, "event": event}) for event in recorded_events[:200]]
    orders = {
        "a": [bare],
        "b": [staged, bare],
        "c": [bare, staged, staged],
        "d": [list(itertools.chain.from_iterable(zip(staged, bare, strict=True)))],
    }
    held = {}
    for name, loads in orders.items():
        index = f"{prefix}-{name}"
        loader = Loader(server, IndexPattern(index), schema, LoadSettings(patience=2, longest_pause=0.1))
        loader.prepare()
        for lines in loads:
            assert loader.load(lines).quarantined == 0
        assert loader.count_held(bare).indexed == loader.count_held(staged).indexed
        hits = ask(server, index, {"size": 1_000, "query": {"match_all": {}}})["hits"]["hits"]
        held[name] = drop_times({hit["_id"]: hit["_source"] for hit in hits})
    assert held["a"]
    assert all(documents == held["a"] for documents in held.values())
