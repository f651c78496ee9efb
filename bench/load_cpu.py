"""``load_cpu`` and ``load_scaling``: the loader's own cost, against a search server that stores nothing."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Sequence
from typing import Final

import msgspec

from bench.load import staged
from bench.null_server import ENGINES, null_server
from bench.results import Result, machine
from bench.senders import Sent
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES, Strategy

EVENTS: Final = 60_000
PAIRS: Final = 3


def measure() -> list[Result]:
    """Measure the loader and the helper in turns for each engine and strategy, then one loader and two at once."""
    costs: dict[str, float] = {}
    parts: dict[str, float] = {}
    scaling: list[float] = []
    with staged(EVENTS) as s3:
        for engine in ENGINES:
            with null_server(engine) as search:
                for strategy in STRATEGIES:
                    runs = [
                        (_run(s3, search, "ours", strategy), _run(s3, search, "parts", strategy))
                        for _ in range(PAIRS)
                    ]
                    where = f"{engine} {strategy}"
                    costs[where] = statistics.median(_cost(ours) / _cost(helper) for ours, helper in runs)
                    for number, what in enumerate(("ours", "parallel_bulk")):
                        parts[f"{where}: {what}, µs of its processor an event"] = statistics.median(
                            _cost(pair[number]) for pair in runs
                        )
                    print(f"  {where}: {costs[where]:.2f}", flush=True)
        with null_server(ENGINES[0]) as search:
            scaling = [_scale(s3, search) for _ in range(PAIRS)]
    return [_make_cost(costs, parts), _make_scaling(scaling)]


def _run(s3: str, search: str, sender: str, strategy: Strategy) -> Sent:
    return _finish(_start(s3, search, sender, strategy))


def _start(s3: str, search: str, sender: str, strategy: Strategy) -> subprocess.Popen[bytes]:
    command = [
        *(sys.executable, "-m", "bench.senders", sender, "--s3", s3, "--search", search),
        *("--strategy", strategy, "--events", str(EVENTS), "--bodies", "unused"),
    ]
    return subprocess.Popen(command, stdout=subprocess.PIPE)


def _finish(child: subprocess.Popen[bytes]) -> Sent:
    output, _ = child.communicate()
    if child.returncode:
        raise RuntimeError(f"a sender ended with {child.returncode}: nothing was measured")
    return msgspec.json.decode(output, type=Sent)


def _cost(sent: Sent) -> float:
    return 1e6 * sent.processor_seconds / sent.events


def _scale(s3: str, search: str) -> float:
    """Return the rate of two loaders at once, divided by that of one. Each has a server of its own."""
    one = _run(s3, search, "ours", "typed")
    with null_server(ENGINES[0]) as other:
        children = [_start(s3, each, "ours", "typed") for each in (search, other)]
        rates = [_finish(child).rate for child in children]
    return sum(rates) / one.rate


def _make_cost(ratios: dict[str, float], parts: dict[str, float]) -> Result:
    return Result(
        name="load_cpu",
        value=max(ratios.values()),
        unit="of parallel_bulk's processor time",
        at_most=0.6,
        how=(
            f"the client's processor time for each of {EVENTS:,} staged events from S3 through the rules to a "
            f"bulk server that stores nothing, divided by that of the client library's parallel_bulk, with two "
            f"threads, orjson and no rules, which reads the same parts; median of {PAIRS} pairs, the highest of "
            f"two clients and two strategies"
        ),
        limited_by=(
            "Python: reading, hashing and unpacking the parts, then decoding each line, the ECS fields, and the "
            "walk through its open objects"
        ),
        parts=ratios | parts,
        machine=machine(),
    )


def _make_scaling(values: Sequence[float]) -> Result:
    return Result(
        name="load_scaling",
        value=statistics.median(values),
        unit="times the rate of one loader",
        at_least=1.9,
        how=(
            f"two loaders at once, each in its own process and with a bulk server of its own that stores nothing, "
            f"divided by one; {EVENTS:,} staged events each; median of {PAIRS} runs"
        ),
        limited_by="the processor: S3 and the bulk servers share the cores with the loaders",
        parts={f"run {number}": value for number, value in enumerate(values, 1)},
        machine=machine(),
    )
