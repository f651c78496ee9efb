"""``load_cpu`` and ``load_scaling``: the loader's own cost, against a search server that stores nothing."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from typing import Final

import msgspec
import psutil

from bench.load import staged
from bench.null_server import ENGINES, null_server
from bench.results import Result
from bench.senders import Sent
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES, Strategy

EVENTS: Final = 60_000
RUNS: Final = 5
TURNS: Final = 20_000_000
"""Of a loop in Python: about a second of one core."""


def measure() -> list[Result]:
    """Measure the loader and the helper in turns for each engine and strategy, then one loader and two at once."""
    costs: dict[str, float] = {}
    parts: dict[str, float] = {}
    free: list[float] = []
    with staged(EVENTS) as s3:
        with null_server(ENGINES[0]) as search:
            for strategy in STRATEGIES:
                _run(s3, search, "render", strategy)
                free.append(min(_cost(_run(s3, search, "free", strategy)) for _ in range(RUNS)))
                parts[f"{strategy}: if the rules cost nothing, µs of its processor an event"] = free[-1]
        for engine in ENGINES:
            with null_server(engine) as search:
                for strategy in STRATEGIES:
                    runs = [
                        (_run(s3, search, "ours", strategy), _run(s3, search, "parts", strategy))
                        for _ in range(RUNS)
                    ]
                    where = f"{engine} {strategy}"
                    # The lowest ones: other work on the machine can only add to a run's processor time.
                    ours, helper = (min(map(_cost, sent)) for sent in zip(*runs, strict=True))
                    costs[where] = ours / helper
                    parts[f"{where}: ours, µs of its processor an event"] = ours
                    parts[f"{where}: parallel_bulk, µs of its processor an event"] = helper
                    print(f"  {where}: {costs[where]:.2f}", flush=True)
        with null_server(ENGINES[0]) as search:
            scaling = [_scale(s3, search) for _ in range(RUNS)]
    return [_make_cost(costs, parts, max(free)), _make_scaling(scaling)]


def _run(s3: str, search: str, sender: str, strategy: Strategy) -> Sent:
    return _finish(_start(s3, search, sender, strategy))


def _start(s3: str, search: str, sender: str, strategy: Strategy) -> subprocess.Popen[bytes]:
    command = [
        *(sys.executable, "-m", "bench.senders", sender, "--s3", s3, "--search", search),
        *("--strategy", strategy, "--events", str(EVENTS), "--bodies", os.devnull),
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def _finish(child: subprocess.Popen[bytes]) -> Sent:
    output, _ = child.communicate()
    if child.returncode:
        raise RuntimeError(f"a sender ended with {child.returncode}: nothing was measured")
    return msgspec.json.decode(output, type=Sent)


def _cost(sent: Sent) -> float:
    return 1e6 * sent.processor_seconds / sent.events


@dataclass(frozen=True, slots=True)
class _Scaling:
    """Two loaders at once, compared with one. Costs are microseconds for each event of the one."""

    ratio: float
    seconds: float
    """The time of the one loader."""
    services: float
    """The processor time of S3 and the bulk server."""
    python: float
    """Two processes of a loop in Python at once, divided by one: what this machine gives to any two processes."""


def _scale(s3: str, search: str) -> _Scaling:
    """Run one loader, then two, each with a server of its own."""
    before = _measure_services()
    one = _run(s3, search, "ours", "typed")
    services = _measure_services() - before
    with null_server(ENGINES[0]) as other:
        children = [_start(s3, each, "ours", "typed") for each in (search, other)]
        rates = [_finish(child).rate for child in children]
    return _Scaling(sum(rates) / one.rate, 1e6 / one.rate, 1e6 * services / one.events, _scale_python())


def _measure_services() -> float:
    """Return the processor seconds of this process and of its running children so far."""
    this = psutil.Process()
    return sum(sum(each.cpu_times()[:2]) for each in (this, *this.children(recursive=True)))


def _scale_python() -> float:
    with ProcessPoolExecutor(2) as pool:
        list(pool.map(_count, (TURNS, TURNS)))  # a warm-up
        alone = pool.submit(_count, TURNS).result()
        return sum(alone / each for each in pool.map(_count, (TURNS, TURNS)))


def _count(turns: int) -> float:
    """Run a loop in Python, and return its seconds."""
    began = time.monotonic()
    total = 0
    for number in range(turns):
        total += number & 7
    return time.monotonic() - began


def _make_cost(ratios: dict[str, float], parts: dict[str, float], free: float) -> Result:
    return Result(
        name="load_cpu",
        value=max(ratios.values()),
        unit="of parallel_bulk's processor time",
        at_most=0.6,
        how=(
            f"the client's processor time for each of {EVENTS:,} staged events from S3 through the rules to a "
            f"bulk server that stores nothing, divided by that of the client library's parallel_bulk, with two "
            f"threads, orjson and no rules, which reads the same parts; the lowest of {RUNS} runs each, in "
            f"turns, and the highest ratio of two clients and two strategies"
        ),
        limited_by=(
            f"the rules: decoding each line, its ECS fields, and the walk through its open objects. Reading, "
            f"hashing and unpacking the parts, the requests and their answers take {free:.0f} µs an event"
        ),
        parts=ratios | parts,
    )


def _make_scaling(runs: Sequence[_Scaling]) -> Result:
    seconds, services, python = (
        statistics.median(getattr(run, name) for run in runs) for name in ("seconds", "services", "python")
    )
    return Result(
        name="load_scaling",
        value=statistics.median(run.ratio for run in runs),
        unit="times the rate of one loader",
        at_least=1.9,
        how=(
            f"two loaders at once, each in its own process and with a bulk server of its own that stores nothing, "
            f"divided by one; {EVENTS:,} staged events each; median of {RUNS} runs"
        ),
        limited_by=(
            f"the processor: for each event, S3 and the bulk server need {services:.1f} µs of the cores that the "
            f"loaders use up, {seconds:.0f} µs each. Between two processes of a loop in Python, which share "
            f"nothing, this machine gives {python:.2f} times one"
        ),
        parts={f"run {number}": run.ratio for number, run in enumerate(runs, 1)}
        | {f"a loop in Python, run {number}": run.python for number, run in enumerate(runs, 1)}
        | {"one loader, µs an event": seconds, "S3 and the bulk server, µs of the processor an event": services},
    )
