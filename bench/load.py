"""``load_steady`` and ``load_vs_helpers``: loading staged parts, beside what only sends the same documents."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from bench.children import fetch_together
from bench.results import Result, machine
from bench.senders import PREFIX, Sent
from bench.services import services
from cloudtrail_elasticsearch.core.shape import STRATEGIES, Strategy
from devstack.search_server import DISTRIBUTIONS, SearchServer

SERVERS: Final = ("opensearch-3", "elasticsearch-9")
EVENTS: Final = 200_000
WARM_UP: Final = 60_000
PAIRS: Final = 3

BARE: Final = [(senders, megabytes) for senders in (2, 3) for megabytes in (5, 10)]
"""Settings of the bare sender, of which the quickest one is what we are held against."""

_SIMULATED: Final = ("--quota=1000000", "--burst=100000", "--latency=0")


@contextlib.contextmanager
def staged(events: int) -> Iterator[str]:
    """Stage a day of so many events and more; the value is S3's address."""
    with services(*_SIMULATED, f"--volume={events * 5 // 4}") as running:
        (fetched,) = fetch_together(running.cloudtrail, running.s3, PREFIX, [("us-east-1", 1)], 1e6)
        if fetched.events < events:
            raise RuntimeError(f"{fetched.events} events were staged, {events} are needed")
        yield running.s3


@dataclass(frozen=True, slots=True)
class _Bench:
    """One server and strategy."""

    s3: str
    search: str
    strategy: Strategy
    bodies: Path

    def run(self, sender: str, events: int, *options: str) -> Sent:
        """Send events into a new index in a process of its own, and say what it took."""
        command = [
            *(sys.executable, "-m", "bench.senders", sender, "--s3", self.s3, "--search", self.search),
            *("--strategy", self.strategy, "--events", str(events), "--bodies", str(self.bodies), *options),
        ]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        return msgspec.json.decode(done.stdout, type=Sent)

    def best_bare(self) -> tuple[str, ...]:
        """Return the options with which the bare sender is quickest here."""
        options = [("--senders", str(senders), "--megabytes", str(size)) for senders, size in BARE]
        self.run("bare", WARM_UP, *options[0])
        return max(options, key=lambda each: self.run("bare", WARM_UP, *each).rate)


def measure() -> list[Result]:
    """Alternate the loader, the bare sender and the client's helper on each server, under both strategies."""
    steady: dict[str, float] = {}
    helpers: dict[str, float] = {}
    rates: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, staged(EVENTS) as s3:
        for name in SERVERS:
            with SearchServer(DISTRIBUTIONS[name], heap="2g") as server:
                for strategy in STRATEGIES:
                    bench = _Bench(s3, server.url, strategy, Path(folder) / strategy)
                    if not bench.bodies.exists():
                        bench.run("render", EVENTS)
                    bench.run("ours", WARM_UP)
                    best = bench.best_bare()
                    runs = [
                        (bench.run("ours", EVENTS), bench.run("bare", EVENTS, *best), bench.run("helper", WARM_UP))
                        for _ in range(PAIRS)
                    ]
                    where = f"{name} {strategy}"
                    steady[where] = statistics.median(ours.rate / bare.rate for ours, bare, _ in runs)
                    helpers[where] = statistics.median(ours.rate / helper.rate for ours, _, helper in runs)
                    for number, what in enumerate(("ours", "bare", "helper")):
                        rates[f"{where}: {what}, events/s"] = statistics.median(run[number].rate for run in runs)
                    rates[f"{where}: µs of our processor an event"] = statistics.median(
                        1e6 * ours.processor_seconds / ours.events for ours, _, _ in runs
                    )
                    print(f"  {where}: {steady[where]:.2f}, {helpers[where]:.2f}, bare {best}", flush=True)
    return [_steady(steady, rates), _helpers(helpers)]


def _steady(ratios: dict[str, float], rates: dict[str, float]) -> Result:
    return Result(
        name="load_steady",
        value=min(ratios.values()),
        unit="of a bare sender's rate",
        at_least=0.9,
        how=(
            f"{EVENTS:,} staged events from S3 through the rules into an index that is there, by the rate of a "
            f"bare HTTP sender (http.client, threads, bodies of the same documents in memory; the quickest of "
            f"{len(BARE)} settings); median of {PAIRS} pairs, the lowest of two servers and two strategies"
        ),
        limited_by=(
            "the processor: on two cores every microsecond of the loader's is one that the server lacks, and S3's "
            "stand-in runs on them too"
        ),
        parts=ratios | rates,
        machine=machine(),
    )


def _helpers(ratios: dict[str, float]) -> Result:
    return Result(
        name="load_vs_helpers",
        value=min(ratios.values()),
        unit="of parallel_bulk's rate",
        at_least=1.2,
        how=(
            f"the same, by the rate of the client library's parallel_bulk with two threads, fed with {WARM_UP:,} "
            f"of the same documents as dicts that are in memory; median of {PAIRS} pairs, the lowest of four"
        ),
        limited_by="the server: the helper spends more of the processor on JSON than the loader on everything",
        parts=ratios,
        machine=machine(),
    )
