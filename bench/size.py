"""``bytes_per_event``: the size of our indices, divided by that of an index with dynamic mapping."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from itertools import islice
from typing import Any, Final

import orjson

from bench.load_cold import SERVERS, fresh
from bench.results import Result
from cloudtrail_elasticsearch.core.documents.events import line_place
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
_TEXTS: Final = "-texts"
_SETTINGS: Final = {"index.mapping.total_fields.limit": 100_000, "index.mapping.ignore_malformed": True}
_BULK: Final = 100
_SENDERS: Final = 4
"""Each new field is an update of the whole cluster's state; the server takes several at once together."""

_DAY: Final = date(2026, 11, 18)

_BULK_PATH: Final = "/_bulk?timeout=10m"
"""On a busy machine, the updates for new fields take longer than the default of one minute."""

_LEASE_SECONDS: Final = 120
"""The longest wait for the renewal of leases, which is every 30 seconds by default."""


@dataclass(frozen=True)
class _Size:
    """The bytes per event of an index: as it is after the load, and merged to one segment."""

    loaded: float
    merged: float


@dataclass(frozen=True)
class _Sizes:
    """The sizes of the indices on one server."""

    rejected: int
    """Events that the index with dynamic mapping rejects."""
    naive: _Size
    ours: dict[str, _Size]
    """By the strategy, and with ``-texts`` after it if the index has texts."""


def measure() -> list[Result]:
    """Load the same events in each way on each server. The figure is the highest ratio."""
    lines = [*fresh(read_recorded(CORPUS), RECORDED), *islice(_generated(), GENERATED)]
    sizes: dict[str, _Sizes] = {}
    for name in SERVERS:
        with SearchServer(DISTRIBUTIONS[name], heap="2g") as running:
            sizes[name] = _load(connect(SearchSettings.from_url(running.url, timeout=600)), lines)
    return [_report(sizes, len(lines)), _report_texts(sizes)]


def _load(server: SearchClient, lines: Sequence[bytes]) -> _Sizes:
    """Load the events in each way on one server, and return the sizes."""
    rejected = _load_naively(server, lines)
    naive = _measure_size(server, _NAIVE)
    ours: dict[str, _Size] = {}
    for strategy in STRATEGIES:
        for suffix in ("", _TEXTS):
            index = Index(server, f"bench-size-{strategy}{suffix}", strategy, texts=bool(suffix))
            if index.load(lines).indexed != len(lines):
                raise RuntimeError(f"not all of {index.name} was indexed: nothing was measured")
            ours[f"{strategy}{suffix}"] = _measure_size(server, index.name)
    return _Sizes(rejected, naive, ours)


def _report(sizes: Mapping[str, _Sizes], events: int) -> Result:
    parts: dict[str, float] = {}
    for server, found in sizes.items():
        parts[f"{server} naive, rejected"] = found.rejected
        parts[f"{server} naive, bytes/event"] = found.naive.merged
        parts[f"{server} naive, before the merge, bytes/event"] = found.naive.loaded
    ratios, ours = _list_parts(sizes, has_texts=False)
    return Result(
        name="bytes_per_event",
        value=max(ratios.values()),
        unit="of the naive size",
        at_most=TO_REACH,
        how=(
            f"{events:,} events, recorded ones with fresh ids and a day of the simulator's in equal parts: "
            f"store size per event, flushed and then merged to one segment, divided by that of an index with "
            f"dynamic mapping and the server's defaults (total_fields.limit raised, ignore_malformed), whose "
            f"rejected events do not count; the highest of two strategies on two servers, one load each"
        ),
        limited_by=(
            "the stored event, from which it can be restored; OpenSearch's flat_object, which keeps each value of "
            "the open objects twice, alone and with its path, for search and for sorting; then values that are "
            "unique to an event and do not compress (its id, the request's id, tokens and keys)"
        ),
        parts=ratios | parts | ours,
    )


def _report_texts(sizes: Mapping[str, _Sizes]) -> Result:
    ratios, ours = _list_parts(sizes, has_texts=True)
    return Result(
        name="bytes_per_event_with_texts",
        value=max(ratios.values()),
        unit="of the naive size",
        at_most=TO_REACH_WITH_TEXTS,
        how=(
            "as bytes_per_event, with the param texts on. The size is that of the index after the server has "
            "removed its second copy of each document: it keeps one until the document is flushed and the "
            "replicas have it (within 30 seconds), and the next merge removes it. Before the merge, the index "
            "has these copies"
        ),
        limited_by="as bytes_per_event; and texts that are unique to an event, each kept once",
        parts=ratios | ours,
    )


def _list_parts(sizes: Mapping[str, _Sizes], *, has_texts: bool) -> tuple[dict[str, float], dict[str, float]]:
    """Return the ratios, and the sizes from which they follow, of the indices with or without texts."""
    ratios: dict[str, float] = {}
    parts: dict[str, float] = {}
    for server, found in sizes.items():
        for name, size in found.ours.items():
            if name.endswith(_TEXTS) == has_texts:
                ratios[f"{server} {name}"] = size.merged / found.naive.merged
                parts[f"{server} {name}, bytes/event"] = size.merged
                parts[f"{server} {name}, before the merge, bytes/event"] = size.loaded
    return ratios, parts


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
    actions = (orjson.dumps({"create": {"_index": _NAIVE, "_id": line_place(line)[0]}}) for line in lines)
    body = b"".join(b"%s\n%s\n" % pair for pair in zip(actions, lines, strict=True))
    answer = server.request("POST", _BULK_PATH, body)
    created = [item["create"] for item in answer["items"]]
    for each in created:
        if each["status"] not in {201, 400}:
            raise RuntimeError(f"a naive load met {each}: nothing was measured")
    return sum(each["status"] == 400 for each in created)


def _measure_size(server: SearchClient, index: str) -> _Size:
    """Return the size of an index after its load, then merge it to one segment and return that size, too."""
    for work in ("_refresh", "_flush?force=true"):
        server.request("POST", f"/{index}/{work}")
    loaded, _ = read_size(server, index)
    _wait_for_leases(server, index)
    for work in ("_forcemerge?max_num_segments=1", "_refresh", "_flush?force=true"):
        server.request("POST", f"/{index}/{work}")
    merged, segments = read_size(server, index)
    if segments != 1:
        raise RuntimeError(f"{index} was not merged: nothing was measured")
    return _Size(loaded, merged)


def read_size(server: SearchClient, index: str) -> tuple[float, int]:
    """Return the bytes per document of an index, and the number of its segments.

    The total of ``_stats`` is up to ten seconds old (``index.store.stats_refresh_interval``), so the sizes of the
    segments are added up.
    """
    shards: Any = server.request("GET", f"/{index}/_segments")["indices"][index]["shards"]
    primaries = [copy for copies in shards.values() for copy in copies if copy["routing"]["primary"]]
    segments = [segment for primary in primaries for segment in primary["segments"].values()]
    size = sum(segment["size_in_bytes"] for segment in segments)
    return size / sum(segment["num_docs"] for segment in segments), len(segments)


def _wait_for_leases(server: SearchClient, index: str) -> None:
    """Wait until no lease retains a document's history: only then a merge removes the copies (ADR-0028)."""
    figures = ("seq_no.max_seq_no", "retention_leases.leases.retaining_seq_no")
    wanted = ",".join(f"indices.*.shards.*.{figure}" for figure in figures)
    until = time.monotonic() + _LEASE_SECONDS
    while time.monotonic() < until:
        answer: Any = server.request("GET", f"/{index}/_stats?level=shards&filter_path={wanted}")
        copies = [copy for shard in answer["indices"][index]["shards"].values() for copy in shard]
        if all(
            lease["retaining_seq_no"] > copy["seq_no"]["max_seq_no"]
            for copy in copies
            for lease in copy["retention_leases"]["leases"]
        ):
            return
        time.sleep(1)
    raise RuntimeError(f"the leases of {index} were not renewed in {_LEASE_SECONDS} s: nothing was measured")
