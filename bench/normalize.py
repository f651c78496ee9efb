"""``normalize_core``: what the rules cost, by what JSON alone costs, on one core."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import msgspec
import orjson

from bench.results import Result, machine
from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.events import Event, parse_line
from cloudtrail_elasticsearch.core.normalize import Normalizer
from cloudtrail_elasticsearch.core.quick import QuickPath
from cloudtrail_elasticsearch.core.rules import load_rules
from cloudtrail_elasticsearch.core.shape import OPEN_OBJECTS, STRATEGIES, Shape, build
from devstack.fidelity.events import CORPUS, recorded

PAIRS: Final = 15
TO_REACH: Final = 0.35

Input = TypeVar("Input")


def measure() -> list[Result]:
    """Alternate JSON alone, the rules alone and a line's whole way to its document, over the recorded events."""
    lines = recorded(CORPUS)
    events = [event for line in lines if isinstance(event := parse_line(line), Event)]
    closed = [msgspec.structs.replace(event, record=_without_open_objects(event.record)) for event in events]
    ratios: dict[str, float] = {}
    free: dict[str, float] = {}
    parts: dict[str, float] = {}
    for strategy in STRATEGIES:
        shape = build(strategy, load_rules())
        whole = _render(shape)
        runs = [
            (
                _seconds(_json, lines),
                _seconds(Normalizer(shape).document, events),
                _seconds(whole, lines),
                _seconds(Normalizer(shape).document, closed),
            )
            for _ in range(PAIRS)
        ]
        ratios[strategy] = statistics.median(json / ruled for json, ruled, *_ in runs)
        free[f"{strategy}: if open objects cost nothing"] = statistics.median(
            json / ruled for json, *_, ruled in runs
        )
        parts[f"{strategy}: from line to document, JSON and all, by JSON alone"] = statistics.median(
            json / rendered for json, _, rendered, _ in runs
        )
        for number, what in enumerate(("JSON alone", "rules alone", "line to document")):
            seconds = statistics.median(run[number] for run in runs)
            parts[f"{strategy}: {what}, events/s"] = len(lines) / seconds
    least, least_free = min(ratios.values()), min(free.values())
    return [
        Result(
            name="normalize_core",
            value=least,
            unit="of the rate of JSON alone",
            at_least=TO_REACH,
            how=(
                f"{len(events)} recorded events, each read before: events/s through the rules to a document, by "
                f"events/s through orjson.loads and orjson.dumps; median of {PAIRS} pairs, the lower of two "
                f"strategies; no caller is known when a run begins"
            ),
            limited_by=(
                f"Python: open objects take {1 / least - 1 / least_free:.1f} of what JSON costs, all else "
                f"{1 / least_free:.1f}; a quarter of the recorded events has names that nobody declared or values "
                f"that a rule changes, and each of these costs twice what one that fits does"
            ),
            parts=ratios | free | parts,
            machine=machine(),
        )
    ]


def _without_open_objects(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in OPEN_OBJECTS}


def _json(line: bytes) -> bytes:
    return orjson.dumps(orjson.loads(line))


def _render(shape: Shape) -> Callable[[bytes], bytes]:
    """Return a line's whole way, as a load goes it."""
    quick = QuickPath(shape).document
    careful = Normalizer(shape).document

    def render(line: bytes) -> bytes:
        document = quick(line)
        if document is not None:
            return document.source
        event = parse_line(line)
        assert isinstance(event, Event)
        return codec.encode(careful(event).source)

    return render


def _seconds(work: Callable[[Input], object], inputs: Sequence[Input]) -> float:
    began = time.process_time()
    for each in inputs:
        work(each)
    return time.process_time() - began
