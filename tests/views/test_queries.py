"""Every view on real servers with recorded and simulated events: it finds the events that it should."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import orjson
import pytest

from cloudtrail_elasticsearch.core.documents.events import Event, document_id, event_time, parse_line
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.loading.loader import Loader
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.fidelity.events import read_recorded
from devstack.simulator.generator import Generator, event_for
from devstack.simulator.mix import CONSOLE_LOGIN
from devstack.views.definitions import SEARCHES, Chart, Search
from devstack.views.panels import CHARTS
from devstack.views.products import DASHBOARDS, KIBANA, ndjson
from devstack.views.searches import make_search, parse_objects
from tests.templates import delete_templates

from .expected import IS_FOUND, Happened, check, found

DAY = date(2026, 11, 20)
PRODUCTS = {"opensearch-3": DASHBOARDS, "elasticsearch-9": KIBANA}

Ask = Callable[[str], Any]

each_server = pytest.mark.parametrize(
    "ask",
    [
        pytest.param((name, strategy), marks=pytest.mark.xdist_group(f"views-{name}"), id=f"{name}-{strategy}")
        for name in PRODUCTS
        for strategy in STRATEGIES
    ],
    indirect=True,
    scope="module",
)


@pytest.fixture(scope="module")
def lines(corpus: Path) -> list[bytes]:
    """All recorded events, the busiest region's day, and sign-ins of some days, including the root user's."""
    generator = Generator(seed=1)
    day = generator.newest_first(generator.day("123456789012", "us-east-1", DAY))
    sign_ins = (orjson.dumps(event_for(*CONSOLE_LOGIN, seed)) for seed in range(40))
    return [*read_recorded(corpus), *(entry.read().text.encode() for entry in day), *sign_ins]


@pytest.fixture(scope="module")
def events(lines: Sequence[bytes]) -> list[Happened]:
    """The events with a time, since only these are in any range of time."""
    # Without the recorded events, generated ones are in their place, of which some are also among the sign-ins.
    read = {document_id(event): event for event in map(parse_line, lines) if isinstance(event, Event)}
    return [
        Happened(name, time.astimezone(UTC), event.record)
        for name, event in read.items()
        if (time := event_time(event)) is not None
    ]


@pytest.fixture(scope="module")
def ask(request: pytest.FixtureRequest, service: Callable[[str], str], lines: Sequence[bytes]) -> Iterator[Ask]:
    """Return the server's answer to the product's request for one of its saved objects."""
    name, strategy = request.param
    server = connect(SearchSettings.from_url(service(name)))
    pattern = IndexPattern(f"test-{uuid.uuid4().hex[:12]}")
    loader = Loader(server, pattern, build_schema(strategy, load_rules()))
    loader.prepare()
    assert loader.load(lines).quarantined == 0
    loader.count(())
    yield _asking(server, parse_objects(ndjson(PRODUCTS[name], pattern)))
    server.request("DELETE", f"/{pattern.text}")
    delete_templates(service(name), pattern.text)


def _asking(server: Any, objects: dict[str, Any]) -> Ask:
    (data_view,) = (each for each in objects.values() if each["type"] == "index-pattern")

    def ask(identifier: str) -> Any:
        # A month, because the events span many years.
        interval = {"calendar_interval": "1M"}
        body = make_search(
            objects[identifier], "1990-01-01T00:00:00Z", "2030-01-01T00:00:00Z", interval, size=5000
        )
        return server.request("POST", f"/{data_view['attributes']['title']}/_search", orjson.dumps(body))

    return ask


def test_every_query_has_events_to_find(events: Sequence[Happened]) -> None:
    """And some events that it must not find, unless it finds all."""
    for query in IS_FOUND:
        assert 0 < len(found(query, events)) <= len(events)
        assert (len(found(query, events)) == len(events)) == (query in {"", "*"})


@each_server
@pytest.mark.parametrize("search", SEARCHES, ids=lambda search: search.id)
def test_a_search_lists_its_events(ask: Ask, events: Sequence[Happened], search: Search) -> None:
    """All of them and no others, newest first."""
    expected = found(search.query, events)
    hits = ask(search.id)["hits"]
    assert hits["total"]["value"] == len(expected)
    assert {hit["_id"] for hit in hits["hits"]} == {event.id for event in expected}
    times = [datetime.fromtimestamp(hit["sort"][0] / 1000, UTC) for hit in hits["hits"]]
    assert times == sorted((event.time for event in expected), reverse=True)


@each_server
@pytest.mark.parametrize("chart", CHARTS, ids=lambda chart: chart.id)
def test_a_chart_counts_its_events(ask: Ask, events: Sequence[Happened], chart: Chart) -> None:
    """Every bucket has its own events, and no larger bucket is missing."""
    answer = ask(chart.id)
    expected = found(chart.query, events)
    assert answer["hits"]["total"]["value"] == len(expected)
    check(answer["aggregations"], chart.buckets, expected)
