"""The benchmark of searches: its indices on the real servers, its events, and its results."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import orjson
import pytest

from bench.query_alternatives import ALTERNATIVES, LOADERS, Alternative
from bench.query_events import DAYS, read_documents, render_events
from bench.query_figures import Asked, Outcome, make_results
from bench.query_latency import make_index
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings


@pytest.mark.parametrize("alternative", ALTERNATIVES, ids=lambda alternative: alternative.name)
def test_each_alternative_is_an_index(search_url: str, unique_index_prefix: str, alternative: Alternative) -> None:
    """The index has exactly its settings, and a stored source."""
    server = connect(SearchSettings.from_url(search_url))
    if server.engine not in alternative.engines:
        pytest.skip("this server has no such mode")
    pattern = IndexPattern(unique_index_prefix)
    make_index(server, pattern, alternative)
    document = (
        b'{"eventName":"B","eventID":"1","requestParameters":{"userName":"z","a":1},"@timestamp":"2026-10-01"}'
    )
    server.request("PUT", f"/{pattern.text}/_doc/1?refresh=true", document)
    (hit,) = server.request("POST", f"/{pattern.text}/_search")["hits"]["hits"]
    assert orjson.dumps(hit["_source"]) == document
    server.request("DELETE", f"/{pattern.text}")


@pytest.mark.slow
def test_events_are_spread_and_their_callers_return(tmp_path: Path) -> None:
    """They cover all days, in about the requested number. After a kill, the next run makes the missing day."""
    render_events(tmp_path, 3_000)
    lines = list(read_documents(tmp_path))
    assert 1_500 < len(lines) < 3_500
    documents = [codec.decode(line.partition(b" ")[2]) for line in lines]
    assert len({line.partition(b" ")[0] for line in lines}) == len(lines)
    assert len({document["@timestamp"][:10] for document in documents}) == DAYS
    callers = Counter(document.get("userIdentity", {}).get("arn") for document in documents)
    assert callers.most_common(2)[1][1] > 10
    (tmp_path / "2026-10-03.ndjson.gz").unlink()
    render_events(tmp_path, 3_000)
    assert list(read_documents(tmp_path)) == lines


def outcome(alternative: str, milliseconds: float, size: float, server: str = "opensearch-3") -> Outcome:
    asked = [Asked("latest events", "the latest", [milliseconds] * 40)]
    return Outcome(server, alternative, 3_000_000, 9_000, size, 12, asked)


def test_a_figure_compares_the_loader_s_settings_with_the_best_ones() -> None:
    """On each server; the highest ratio counts. Without figures of the loader's settings, there is no result."""
    others = [outcome("time-first", 10, 700), outcome("unsorted", 20, 800)]
    assert make_results(others) == []
    own = [outcome(LOADERS.name, 30, 600), outcome(LOADERS.name, 7, 500, "elasticsearch-9")]
    latency, size = make_results([*own, *others])
    assert (latency.name, latency.value, latency.reached) == ("query_latency_latest_events", 3.0, False)
    assert latency.parts["opensearch-3 time-first: p95, milliseconds"] == 10
    assert "on opensearch-3: loader, time-first, unsorted; on elasticsearch-9: loader (" in latency.how
    assert (size.name, size.value, size.reached) == ("query_latency_size", 1.0, True)
    assert size.parts["elasticsearch-9 loader: bytes an event"] == 500
