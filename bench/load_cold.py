"""``load_cold``: the rate into an empty typed index, divided by that into an empty flattened one."""

from __future__ import annotations

import statistics
import time
import uuid
from collections.abc import Iterator
from typing import Final

import orjson

from bench.results import Result
from cloudtrail_elasticsearch.core.documents.schema import Strategy
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.fidelity.checks import Index
from devstack.fidelity.events import CORPUS, read_recorded
from devstack.search_server import DISTRIBUTIONS, SearchServer

SERVERS: Final = ("opensearch-3", "elasticsearch-9")
EVENTS: Final = 4_800
PAIRS: Final = 5
TO_REACH: Final = 0.75


def measure() -> list[Result]:
    """Alternate the strategies on each server. The figure is the lower one of the servers' medians."""
    lines = list(fresh(read_recorded(CORPUS), EVENTS))
    ratios: dict[str, float] = {}
    rates: dict[str, float] = {}
    for name in SERVERS:
        with SearchServer(DISTRIBUTIONS[name], heap="2g") as running:
            for number in range(2):  # the first loads of a server are three times slower
                _rates(running.url, number, lines)
            pairs = [_rates(running.url, number, lines) for number in range(PAIRS)]
        ratios[name] = statistics.median(typed / flattened for typed, flattened in pairs)
        rates[f"{name} typed, events/s"] = statistics.median(typed for typed, _ in pairs)
        rates[f"{name} flattened, events/s"] = statistics.median(flattened for _, flattened in pairs)
    result = Result(
        name="load_cold",
        value=min(ratios.values()),
        unit="of the flattened rate",
        at_least=TO_REACH,
        how=(
            f"{len(lines):,} recorded events with fresh ids into an empty typed index, divided by the rate into "
            f"an empty flattened one; both include making the index and the closing refresh; median of {PAIRS} "
            f"pairs after two of warm-up, the lower of two servers"
        ),
        limited_by=(
            "one cluster-state update that makes the typed index with its thousands of declared fields; then the "
            "server, which writes one inverted index for each field that occurs"
        ),
        parts=ratios | rates,
    )
    return [result]


def _rates(url: str, number: int, lines: list[bytes]) -> tuple[float, float]:
    """Load under both strategies, in the order of this turn; return events/s of typed and of flattened."""
    order: list[Strategy] = ["typed", "flattened"] if number % 2 else ["flattened", "typed"]
    rates = {strategy: _rate(url, strategy, lines) for strategy in order}
    return rates["typed"], rates["flattened"]


def _rate(url: str, strategy: Strategy, lines: list[bytes]) -> float:
    index = Index(connect(SearchSettings.from_url(url)), f"bench-cold-{strategy}", strategy)
    index.schema  # noqa: B018 - read from its files before the clock starts
    began = time.monotonic()
    report = index.load(lines)
    seconds = time.monotonic() - began
    if report.indexed != len(lines):
        raise RuntimeError(f"{report} of {len(lines)} events: some were not indexed, nothing was measured")
    index.delete()
    return len(lines) / seconds


def fresh(lines: list[bytes], count: int) -> Iterator[bytes]:
    """Yield this many events: the recorded ones again and again, each with a new id."""
    events = [orjson.loads(line) for line in lines]
    for number in range(count):
        identifier = str(uuid.uuid5(uuid.NAMESPACE_OID, str(number)))
        yield orjson.dumps(events[number % len(events)] | {"eventID": identifier})
