"""A sample of ``make fidelity``: recorded and generated events on all four servers, in two orders."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES, Strategy
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.fidelity.checks import Index, find_hidden_values, find_unrestored_events, make_searches, run_searches
from devstack.fidelity.events import generate_events, make_orders, read_recorded

GENERATED = 600


@pytest.fixture(scope="module")
def recorded_lines(corpus: Path) -> list[bytes]:
    return read_recorded(corpus)


@pytest.fixture(scope="module")
def lines(recorded_lines: list[bytes]) -> list[bytes]:
    return [*recorded_lines, *generate_events(GENERATED)]


@pytest.fixture(scope="module", params=STRATEGIES)
def strategy(request: pytest.FixtureRequest) -> Strategy:
    chosen: Strategy = request.param
    return chosen


@pytest.mark.promise("order-free", "findable")
@pytest.mark.parametrize(
    "name",
    [
        pytest.param(name, marks=pytest.mark.xdist_group(f"fidelity-{name}"))
        for name in ("opensearch-3", "elasticsearch-9", "opensearch-2", "elasticsearch-8")
    ],
)
def test_nothing_is_rejected_hidden_or_moved_by_order(
    service: Callable[[str], str],
    name: str,
    strategy: Strategy,
    lines: Sequence[bytes],
    recorded_lines: list[bytes],
    unique_index_prefix: str,
) -> None:
    """All events are indexed and found under their documented names, with equal results in every order."""
    server = connect(SearchSettings.from_url(service(name)))
    results = []
    for number, (_, ordered) in enumerate(make_orders(lines, shuffles=1)):
        index = Index(server, f"{unique_index_prefix}-{number}", strategy)
        report = index.load(ordered)
        assert (report.read, report.indexed, report.quarantined) == (len(lines), len(lines), 0)
        results.append((index.mapping(), run_searches(index, make_searches(index, lines, count=60))))
        if not number:
            assert [(found.field, found.value) for _, found in find_hidden_values(index, recorded_lines)] == []
            assert list(find_unrestored_events(index, lines)) == []
        index.delete()
    in_time, shuffled = results
    assert in_time == shuffled
