"""``load_remote`` and ``load_vs_naive``: loads with the search server on a core of its own."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from bench.children import Fetched, fetch_together
from bench.cores import choose_cores, pinned
from bench.fetch import QUOTA
from bench.load import BARE, EVENTS, PAIRS, SERVERS, Bench, find_ratio, list_costs, list_rates, staged
from bench.results import Result
from bench.senders import make_new_index
from bench.services import services_with_light_s3
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.search_server import DISTRIBUTIONS, SearchServer
from devstack.simulator import REGIONS

VOLUME: Final = 10_000
"""Events of a region's day that are looked up: 100 seconds at the quota."""

LATENCY: Final = 0.6


def measure() -> list[Result]:
    """Alternate the loader, the bare sender and a naive loader on each server, under both strategies."""
    remote: dict[str, float] = {}
    naive: dict[str, float] = {}
    rates: dict[str, float] = {}
    for_server, for_clients = choose_cores()
    with tempfile.TemporaryDirectory() as folder, pinned(for_clients), staged(EVENTS) as s3:
        for name in SERVERS:
            with _on(for_server, name) as server:
                for strategy in STRATEGIES:
                    bench = Bench(s3, server.url, strategy, Path(folder) / strategy)
                    bench.prepare()
                    # Any settings keep the server's one core busy.
                    runs = bench.alternate(BARE[-1], "ours", "bare", "naive")
                    where = f"{name} {strategy}"
                    remote[where] = find_ratio(runs, "ours", "bare")
                    naive[where] = find_ratio(runs, "ours", "naive")
                    rates |= list_rates(where, runs) | list_costs(where, runs, runs[0])
                    print(f"  {where}: {remote[where]:.2f}, {naive[where]:.2f} of naive", flush=True)
    looked_up, looked_up_rates = _look_up_and_load(for_server, for_clients)
    return [_make_remote(remote, rates), _make_naive(naive | looked_up, rates | looked_up_rates)]


@contextmanager
def _on(core: int, name: str) -> Iterator[SearchServer]:
    """Start a search server on a core."""
    with ExitStack() as stack:
        with pinned(core):
            server = stack.enter_context(SearchServer(DISTRIBUTIONS[name], heap="2g"))
        yield server


def _look_up_and_load(for_server: int, for_clients: int) -> tuple[dict[str, float], dict[str, float]]:
    """Load one region, then all at once, each from LookupEvents with AWS's latency and quota."""
    simulated = (f"--latency={LATENCY}", f"--volume={VOLUME}", "--even")
    rates: dict[str, float] = {}
    with _on(for_server, SERVERS[0]) as server, pinned(for_server), services_with_light_s3(*simulated) as aws:

        def load(program: str, *cells: tuple[str, int]) -> float:
            with pinned(for_clients):
                done = fetch_together(aws.cloudtrail, aws.s3, program, cells, program=program, search=server.url)
            return _whole_rate(done)

        make_new_index(connect(SearchSettings.from_url(server.url)), "typed")
        # One region uses a fraction of a core, so both loaders run at the same time, each with its own region.
        with ThreadPoolExecutor(2) as together:
            ours = together.submit(load, "bench.loader_child", (REGIONS[0], 1))
            naive = together.submit(load, "bench.naive_child", (REGIONS[1], 1))
            rates["LookupEvents, one region: ours, events/s"] = ours.result()
            rates["LookupEvents, one region: naive, events/s"] = naive.result()
        where = f"LookupEvents, {len(REGIONS)} regions"
        rates[f"{where}: ours, events/s"] = load("bench.loader_child", *((region, 2) for region in REGIONS))
        rates[f"{where}: naive, events/s"] = load("bench.naive_child", *((region, 3) for region in REGIONS))
    ratios = {
        name: rates[f"{name}: ours, events/s"] / rates[f"{name}: naive, events/s"]
        for name in ("LookupEvents, one region", where)
    }
    return ratios, rates


def _whole_rate(done: Sequence[Fetched]) -> float:
    return sum(each.events for each in done) / max(each.seconds for each in done)


def _make_remote(ratios: dict[str, float], rates: dict[str, float]) -> Result:
    return Result(
        name="load_remote",
        value=min(ratios.values()),
        unit="of a bare sender's rate",
        at_least=0.95,
        how=(
            f"as load_steady, with the server on one core, and the loader or the bare sender on the other; median "
            f"of {PAIRS} pairs, the lowest of two servers and two strategies"
        ),
        limited_by="the server, which takes more of its core for an event than the loader takes of the other",
        parts=ratios | {name: rate for name, rate in rates.items() if ": naive" not in name},
    )


def _make_naive(ratios: dict[str, float], rates: dict[str, float]) -> Result:
    return Result(
        name="load_vs_naive",
        value=min(ratios.values()),
        unit="times the rate of a naive loader",
        at_least=1.1,
        how=(
            f"events/s of the loader, divided by those of what people write: unchanged events, read with the "
            f"standard json and sent with the client library's streaming_bulk and its defaults into the same "
            f"index, which has no dynamic mapping. From S3: as load_remote, read with gzip. From LookupEvents: a "
            f"region's day of some {VOLUME:,} events, read with boto3's paginator, {LATENCY} s latency a call, "
            f"{QUOTA}, on {SERVERS[0]}, mapping=typed, one run each; each region has its own process, and the "
            f"rate is that of all events until the last region is loaded. The lowest ratio of all"
        ),
        limited_by=(
            "the server, which indexes more fields of our documents. With many equally busy regions, the loader "
            "sends the events of all of them at the same time, after their last pages"
        ),
        parts=ratios | {name: rate for name, rate in rates.items() if ": bare" not in name},
    )
