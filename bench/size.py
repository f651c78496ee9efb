"""``bytes_per_event``: the size of our indices, divided by that of an index with dynamic mapping."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from itertools import islice
from typing import Any, Final

import msgspec
import orjson

from bench.load_cold import SERVERS, fresh
from bench.results import Result, machine
from cloudtrail_elasticsearch.core.documents.events import line_id
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES
from cloudtrail_elasticsearch.core.search.server import SearchServer as SearchClient
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.fidelity.checks import Index
from devstack.fidelity.events import CORPUS, read_recorded
from devstack.search_server import DISTRIBUTIONS, SearchServer
from devstack.simulator import DEFAULT_ACCOUNT, Generator
from devstack.simulator.regions import GLOBAL_REGION

RECORDED: Final = 25_000
GENERATED: Final = 25_000
TO_REACH: Final = 0.6
TO_REACH_WITH_TEXTS: Final = 0.65

_NAIVE: Final = "bench-size-naive"
_SETTINGS: Final = {"index.mapping.total_fields.limit": 100_000, "index.mapping.ignore_malformed": True}
_BULK: Final = 100
_SENDERS: Final = 4
"""Each new field is an update of the whole cluster's state; the server takes several at once together."""

_DAY: Final = date(2026, 11, 18)


def measure() -> list[Result]:
    """Load the same events in each way on each server. The figure is the highest ratio."""
    lines = [*fresh(read_recorded(CORPUS), RECORDED), *islice(_generated(), GENERATED)]
    ratios: dict[str, float] = {}
    ratios_with_texts: dict[str, float] = {}
    parts: dict[str, float] = {}
    for name in SERVERS:
        with SearchServer(DISTRIBUTIONS[name], heap="2g") as running:
            server = connect(SearchSettings.from_url(running.url, timeout=600))
            parts[f"{name} naive, rejected"] = _load_naively(server, lines)
            naive = parts[f"{name} naive, bytes/event"] = _bytes_per_event(server, _NAIVE)
            for strategy in STRATEGIES:
                for suffix, into in (("", ratios), ("-texts", ratios_with_texts)):
                    index = Index(server, f"bench-size-{strategy}{suffix}", strategy, texts=bool(suffix))
                    if index.load(lines).indexed != len(lines):
                        raise RuntimeError(f"not all of {index.name} was indexed: nothing was measured")
                    size = parts[f"{name} {strategy}{suffix}, bytes/event"] = _bytes_per_event(server, index.name)
                    into[f"{name} {strategy}{suffix}"] = size / naive
    result = Result(
        name="bytes_per_event",
        value=max(ratios.values()),
        unit="of the naive size",
        at_most=TO_REACH,
        how=(
            f"{len(lines):,} events, recorded ones with fresh ids and a day of the simulator's in equal parts: "
            f"store size per event, merged to one segment, divided by that of an index with dynamic mapping and "
            f"the server's defaults (total_fields.limit raised, ignore_malformed), whose rejected events do not "
            f"count; the highest of two strategies on two servers, one load each"
        ),
        limited_by=(
            "the stored event, from which it can be restored: half of the index; then values that are unique to "
            "an event and do not compress (its id, the request's id, tokens and keys), each stored in the event, "
            "for search and for sorting"
        ),
        parts=ratios | parts,
        machine=machine(),
    )
    with_texts = msgspec.structs.replace(
        result,
        name="bytes_per_event_with_texts",
        value=max(ratios_with_texts.values()),
        at_most=TO_REACH_WITH_TEXTS,
        how="as bytes_per_event, with the param texts on",
        limited_by="as bytes_per_event; and texts that are unique to an event, each kept once",
        parts=ratios_with_texts,
    )
    return [result, with_texts]


def _generated() -> Iterator[bytes]:
    """Yield the events of the busiest region's day."""
    generator = Generator(volume=2 * GENERATED)
    for entry in generator.newest_first(generator.day(DEFAULT_ACCOUNT, GLOBAL_REGION, _DAY)):
        yield entry.read().text.encode()


def _load_naively(server: SearchClient, lines: Sequence[bytes]) -> int:
    """Load the unchanged records under their own ids, and return how many of them the server rejects."""
    server.request("PUT", f"/{_NAIVE}", orjson.dumps({"settings": _SETTINGS}))
    requests = (lines[start : start + _BULK] for start in range(0, len(lines), _BULK))
    with ThreadPoolExecutor(_SENDERS) as senders:
        return sum(senders.map(lambda some: _send(server, some), requests))


def _send(server: SearchClient, lines: Sequence[bytes]) -> int:
    actions = (orjson.dumps({"create": {"_index": _NAIVE, "_id": line_id(line)}}) for line in lines)
    body = b"".join(b"%s\n%s\n" % pair for pair in zip(actions, lines, strict=True))
    answer = server.request("POST", "/_bulk", body)
    statuses = Counter(item["create"]["status"] for item in answer["items"])
    if others := statuses.keys() - {201, 400}:
        raise RuntimeError(f"a naive load met {others}: nothing was measured")
    return statuses[400]


def _bytes_per_event(server: SearchClient, index: str) -> float:
    """Merge an index to one segment and return its bytes per document."""
    for work in ("_refresh", "_forcemerge?max_num_segments=1", "_refresh", "_flush?force=true"):
        server.request("POST", f"/{index}/{work}")
    primaries: Any = server.request("GET", f"/{index}/_stats/store,docs,segments")["_all"]["primaries"]
    if primaries["segments"]["count"] != 1:
        raise RuntimeError(f"{index} was not merged: nothing was measured")
    return int(primaries["store"]["size_in_bytes"]) / int(primaries["docs"]["count"])
