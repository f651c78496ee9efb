"""The watermarks of live runs on the real servers: in the ledger's index, but in no query for cells."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.coverage.ledger import Ledger
from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.coverage.watermarks import Place, Watermark, Watermarks
from cloudtrail_elasticsearch.core.errors import TransientError
from cloudtrail_elasticsearch.core.index.index_pattern import COVERAGE_INDEX
from cloudtrail_elasticsearch.core.search.sender import LoadSettings
from cloudtrail_elasticsearch.core.search.server import Engine
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from cloudtrail_elasticsearch.ui.ledger_summary import summarize_ledger

AT = datetime(2026, 11, 1, 12, tzinfo=UTC)
PLACE = Place("123456789012", "eu-west-1")


class Failing:
    """A server whose answer has an error instead of the document."""

    engine: Engine = "opensearch"
    name = "http://search"

    def request(self, method: str, path: str, body: bytes | None = None) -> Any:
        return {"docs": [{"_id": "x", "error": {"type": "no_shard_available_action_exception"}}]}


@pytest.fixture
def server(search_url: str) -> Any:
    return connect(SearchSettings.from_url(search_url))


def watermark(place: Place = PLACE, **further: Any) -> Watermark:
    given = {"until": AT, "checked_at": AT + timedelta(seconds=90), "day": AT.date()} | further
    return Watermark(place=place, **given)


def test_a_watermark_is_found_as_it_was_recorded(server: Any, unique_index_prefix: str) -> None:
    """At once, although no search sees it yet."""
    watermarks = Watermarks(server, unique_index_prefix)
    assert watermarks.read([PLACE]) == {}
    kept = watermark(last_event=AT, events=7, problem="It falls behind.", position='{"token":"t"}')
    others = [watermark(Place("123456789012", "eu-west-1", source)) for source in list(Source)[1:]]
    watermarks.record([kept, *others])
    assert watermarks.read([PLACE, *(each.place for each in others)]) == {
        each.place: each for each in (kept, *others)
    }
    assert kept.lag == 90
    later = replace(kept, until=AT + timedelta(minutes=5), last_event=None, problem=None, position="")
    watermarks.record([later])
    assert Watermarks(server, unique_index_prefix).read([PLACE]) == {PLACE: later}


def test_the_watermarks_of_another_pattern_are_not_read(server: Any, unique_index_prefix: str) -> None:
    Watermarks(server, f"{unique_index_prefix}-other").record([watermark()])
    assert Watermarks(server, unique_index_prefix).read([PLACE]) == {}


def test_no_query_for_cells_finds_a_watermark(server: Any, unique_index_prefix: str) -> None:
    Watermarks(server, unique_index_prefix).record([watermark(last_event=AT)])
    server.request("POST", f"/{COVERAGE_INDEX}/_refresh")
    ledger = Ledger(server, unique_index_prefix)
    assert list(ledger.read_cells()) == []
    assert ledger.find_newest_events([PLACE.account]) == {}
    assert unique_index_prefix not in summarize_ledger(server).patterns


def test_a_watermark_that_cannot_be_read_is_not_a_new_one(unique_index_prefix: str) -> None:
    watermarks = Watermarks(Failing(), unique_index_prefix, LoadSettings(patience=0.1))
    with pytest.raises(TransientError, match="_mget"):
        watermarks.read([PLACE])
