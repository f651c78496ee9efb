"""Rejections that name the index as the cause: the load fails with the remedy, and quarantines nothing."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.errors import MappingError
from cloudtrail_elasticsearch.core.index.index_pattern import QUARANTINE_INDEX, IndexPattern
from cloudtrail_elasticsearch.core.loading.loader import Loader, LoadSettings
from cloudtrail_elasticsearch.core.loading.quarantine import Quarantine
from cloudtrail_elasticsearch.core.search.sender import Sender
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.search_server import ELASTICSEARCH_9, OPENSEARCH_3, Distribution, SearchServer
from devstack.shared import QUICK_START

SCHEMA = build_schema("flattened", load_rules())
SETTINGS = LoadSettings(patience=20, longest_pause=0.1)


def event(number: int, **others: Any) -> bytes:
    identifier = f"50000000-0000-0000-0000-{number:012d}"
    return codec.encode({"eventID": identifier, "eventTime": "2026-11-20T01:02:03Z", **others})


@pytest.fixture
def server(search_url: str) -> Any:
    return connect(SearchSettings.from_url(search_url))


@pytest.fixture
def index(server: Any, unique_index_prefix: str) -> Iterator[str]:
    yield unique_index_prefix
    for name in server.request("GET", f"/{unique_index_prefix}*/_settings?expand_wildcards=all"):
        server.request("DELETE", f"/{name}")


def put(server: Any, name: str, content: Any) -> None:
    server.request("PUT", f"/{name}", codec.encode(content))


def two_of_an_alias(server: Any, index: str) -> None:
    for number in "12":
        put(server, f"{index}-{number}", {"aliases": {index: {}}})


def closed(server: Any, index: str) -> None:
    put(server, index, {})
    server.request("POST", f"/{index}/_close")


def without_its_pipeline(server: Any, index: str) -> None:
    put(server, index, {"settings": {"index.default_pipeline": "no-such-pipeline"}})


def with_routing(server: Any, index: str) -> None:
    put(server, index, {"mappings": {"_routing": {"required": True}}})


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (two_of_an_alias, r"no write index is defined for alias \[.* Give the alias one write index"),
        (closed, "closed. Open the index"),
        (
            without_its_pipeline,
            r"pipeline with id \[no-such-pipeline\] does not exist. Create the ingest pipeline",
        ),
        (with_routing, "routing is required .* Load into an index whose mapping requires no routing"),
    ],
)
@pytest.mark.parametrize("count", [1, 25])
def test_an_index_at_fault_fails_the_load(server: Any, index: str, make: Any, words: str, count: int) -> None:
    """The error names it, whether one document is rejected or all; the events stay staged."""
    make(server, index)
    with pytest.raises(MappingError, match=f"cannot write to the index {index}: .*{words}") as raised:
        Loader(server, IndexPattern(index), SCHEMA, SETTINGS).load(map(event, range(count)))
    assert "\n" not in str(raised.value)
    assert Quarantine(Sender(server, SETTINGS), index).is_empty()


def large(size: int) -> bytes:
    """Return an event of about this many bytes."""
    return event(size, requestParameters={"names": ["name" * 25] * (size // 103)})


@pytest.mark.slow
@pytest.mark.parametrize("distribution", [ELASTICSEARCH_9, OPENSEARCH_3], ids=lambda each: each.name)
def test_a_document_that_is_too_large_for_the_server_is_quarantined(distribution: Distribution) -> None:
    """It is sent alone, then quarantined with the reason; the others are indexed, and the load ends."""
    # One server has both limits. The smaller document exceeds one of them, the larger one the other.
    settings = {"indexing_pressure.memory.limit": "2mb", "http.max_content_length": "3mb"}
    expected = {len(large(2_400_000)): "operation_bytes", len(large(3_600_000)): "413"}
    with SearchServer(distribution, heap="512m", java_options=[QUICK_START], settings=settings) as small:
        server = connect(SearchSettings.from_url(small.url), distribution.engine)
        loader = Loader(server, IndexPattern("one"), SCHEMA, SETTINGS)
        loader.prepare()
        lines = [event(number, requestParameters={"bucketName": "b" * 20_000}) for number in range(120)]
        lines[40], lines[80] = large(2_400_000), large(3_600_000)
        report = loader.load(lines)
        assert (report.read, report.indexed + report.duplicates, report.quarantined) == (120, 118, 2)
        server.request("POST", f"/{QUARANTINE_INDEX}/_refresh")
        found = {}
        for hit in server.request("GET", f"/{QUARANTINE_INDEX}/_search")["hits"]["hits"]:
            assert hit["_source"]["kind"] == "document_too_large"
            found[hit["_source"]["eventBytes"]] = hit["_source"]["reason"]
        assert found.keys() == expected.keys()
        assert all(word in found[size] for size, word in expected.items())
        entries = [entry for page in Quarantine(Sender(server, SETTINGS), "one").read_pages() for entry in page]
        assert {entry.line for entry in entries} == {lines[40], lines[80]}
