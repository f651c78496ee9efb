"""``load_steady`` and ``load_vs_helpers``: loading staged parts, compared with only sending the same documents."""

from __future__ import annotations

import contextlib
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec

from bench.children import fetch_together
from bench.results import Result
from bench.senders import PREFIX, Sent
from bench.services import services
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES, Strategy
from devstack.search_server import DISTRIBUTIONS, SearchServer

SERVERS: Final = ("opensearch-3", "elasticsearch-9")
EVENTS: Final = 60_000
PAIRS: Final = 4

BARE: Final = [
    ("--senders", senders, "--megabytes", megabytes) for senders in ("2", "3") for megabytes in ("5", "10")
]
"""Settings of the bare sender. The fastest one is the reference."""

_SIMULATED: Final = ("--quota=1000000", "--burst=100000", "--latency=0")


@contextlib.contextmanager
def staged(events: int) -> Iterator[str]:
    """Stage a day of at least this many events and yield the address of S3."""
    with services(*_SIMULATED, f"--volume={events * 5 // 4}") as running:
        (fetched,) = fetch_together(running.cloudtrail, running.s3, PREFIX, [("us-east-1", 1)], 1e6)
        if fetched.events < events:
            raise RuntimeError(f"{fetched.events} events were staged, {events} are needed")
        yield running.s3


@dataclass(frozen=True, slots=True)
class Bench:
    """One server and strategy."""

    s3: str
    search: str
    strategy: Strategy
    bodies: Path

    def run(self, sender: str, events: int, *options: str) -> Sent:
        """Send events into a new index in a separate process, and return the cost."""
        command = [
            *(sys.executable, "-m", "bench.senders", sender, "--s3", self.s3, "--search", self.search),
            *("--strategy", self.strategy, "--events", str(events), "--bodies", str(self.bodies), *options),
        ]
        done = subprocess.run(command, stdout=subprocess.PIPE, check=True)
        return msgspec.json.decode(done.stdout, type=Sent)

    def prepare(self) -> None:
        """Render the documents, and warm the server up."""
        if not self.bodies.exists():
            self.run("render", EVENTS)
        self.run("ours", EVENTS)

    def alternate(self, best: tuple[str, ...], *senders: str) -> list[dict[str, Sent]]:
        """Run the senders in turns, the bare one with these settings; return the costs of each turn.

        Every second turn has the opposite order, because the server still cleans up after the sender before.
        """
        return [
            {each: self.run(each, EVENTS, *(best if each == "bare" else ())) for each in senders[:: 1 - 2 * odd]}
            for odd in (0, 1) * (PAIRS // 2)
        ]

    def best_bare(self) -> tuple[str, ...]:
        """Return the settings with which the bare sender is fastest on this server."""
        self.run("bare", EVENTS, *BARE[0])
        return max(BARE, key=lambda each: self.run("bare", EVENTS, *each).rate)


def measure() -> list[Result]:
    """Alternate the loader, the bare sender and the client's helper on each server, under both strategies."""
    steady: dict[str, float] = {}
    helpers: dict[str, float] = {}
    free: dict[str, float] = {}
    rates: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder, staged(EVENTS) as s3:
        for name in SERVERS:
            with SearchServer(DISTRIBUTIONS[name], heap="2g") as server:
                for strategy in STRATEGIES:
                    bench = Bench(s3, server.url, strategy, Path(folder) / strategy)
                    bench.prepare()
                    best = bench.best_bare()
                    runs = bench.alternate(best, "ours", "bare", "free", "helper")
                    where = f"{name} {strategy}"
                    steady[where] = find_ratio(runs, "ours", "bare")
                    free[f"{where}: if the rules cost nothing"] = find_ratio(runs, "free", "bare")
                    helpers[where] = find_ratio(runs, "ours", "helper")
                    rates |= list_rates(where, runs) | list_costs(where, runs, ("ours", "free"))
                    print(
                        f"  {where}: {steady[where]:.2f}, {find_ratio(runs, 'free', 'bare'):.2f} if the rules "
                        f"cost nothing, {helpers[where]:.2f}, bare {best}",
                        flush=True,
                    )
    return [_steady(steady, free, rates), _helpers(helpers, rates)]


def list_rates(where: str, runs: Sequence[Mapping[str, Sent]]) -> dict[str, float]:
    """Return the median rate of each sender, by the name of the figure."""
    return {f"{where}: {what}, events/s": statistics.median(run[what].rate for run in runs) for what in runs[0]}


def list_costs(where: str, runs: Sequence[Mapping[str, Sent]], senders: Iterable[str]) -> dict[str, float]:
    """Return the median processor time of these senders, by the name of the figure."""
    return {
        f"{where}: {what}, µs of its processor an event": statistics.median(
            1e6 * run[what].processor_seconds / run[what].events for run in runs
        )
        for what in senders
    }


def find_ratio(runs: Sequence[Mapping[str, Sent]], one: str, other: str) -> float:
    """Return the median ratio of the rates of two senders."""
    return statistics.median(run[one].rate / run[other].rate for run in runs)


def _steady(ratios: dict[str, float], free: dict[str, float], rates: dict[str, float]) -> Result:
    return Result(
        name="load_steady",
        value=min(ratios.values()),
        unit="of a bare sender's rate",
        at_least=0.9,
        how=(
            f"{EVENTS:,} staged events from S3 through the rules into an existing index, divided by the rate of a "
            f"bare HTTP sender (http.client, threads, bodies of the same documents in memory; the fastest of "
            f"{len(BARE)} settings); median of {PAIRS} pairs, the lowest of two servers and two strategies"
        ),
        limited_by=(
            f"the processor: on two cores, the loader takes each microsecond from the server. A loader without "
            f"rules, whose staged lines are the documents already, reaches {min(free.values()):.2f} in the "
            f"slowest case: unpacking, batches, requests and answers alone use up the margin of the bound, and "
            f"the rules add to it"
        ),
        parts=ratios | free | rates,
    )


def _helpers(ratios: dict[str, float], rates: dict[str, float]) -> Result:
    bare = {
        f"{where}: the bare sender": rates[f"{where}: bare, events/s"] / rates[f"{where}: helper, events/s"]
        for where in ratios
    }
    return Result(
        name="load_vs_helpers",
        value=min(ratios.values()),
        unit="of parallel_bulk's rate",
        at_least=1.2,
        how=(
            f"the same, divided by the rate of the client library's parallel_bulk with two threads. It gets the "
            f"same documents as dicts in memory, which Python's garbage collector does not scan; median of "
            f"{PAIRS} pairs, the lowest of four"
        ),
        limited_by=(
            f"the server: even the bare sender, whose documents are rendered in advance, is in the slowest case "
            f"only {min(bare.values()):.2f} times as fast as the helper, whose dicts are made in advance, too. "
            f"The loader does both, and unpacks its events first"
        ),
        parts=ratios | bare,
    )
