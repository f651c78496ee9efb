"""``normalize_core``: the cost of the rules, compared with that of JSON alone, on one core."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, TypeVar

import msgspec
import orjson

from bench.results import Result
from cloudtrail_elasticsearch.core.documents.declared_fields import OPEN_OBJECTS
from cloudtrail_elasticsearch.core.documents.events import Event, parse_line
from cloudtrail_elasticsearch.core.documents.fast_path import FastPath
from cloudtrail_elasticsearch.core.documents.normalize import Normalizer
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES, Schema
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.encoding import codec
from devstack.fidelity.events import CORPUS, read_recorded

PAIRS: Final = 15
TO_REACH: Final = 0.35

Input = TypeVar("Input")


def measure() -> list[Result]:
    """Run JSON alone, the rules alone and the whole conversion of a line alternately over the recorded events."""
    lines = read_recorded(CORPUS)
    events = [event for line in lines if isinstance(event := parse_line(line), Event)]
    closed = [msgspec.structs.replace(event, record=_without_open_objects(event.record)) for event in events]
    ratios: dict[str, float] = {}
    free: dict[str, float] = {}
    parts: dict[str, float] = {}
    for strategy in STRATEGIES:
        schema = build_schema(strategy, load_rules())
        whole = _render(schema)
        runs = [
            (
                _seconds(_json, lines),
                _seconds(Normalizer(schema).document, events),
                _seconds(whole, lines),
                _seconds(Normalizer(schema).document, closed),
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
                f"{len(events)} recorded events, parsed in advance: events/s through the rules to a document, "
                f"divided by events/s through orjson.loads and orjson.dumps; median of {PAIRS} pairs, the lower "
                f"of two strategies; the cache of callers is empty at the start of a run"
            ),
            limited_by=(
                f"Python: the walk takes {1 / least - 1 / least_free:.1f} times as long as JSON for open objects, "
                f"and {1 / least_free:.1f} times for all other values; this row does not measure the fast path, "
                f"which most events take"
            ),
            parts=ratios | free | parts,
        )
    ]


def _without_open_objects(record: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in record.items() if name not in OPEN_OBJECTS}


def _json(line: bytes) -> bytes:
    return orjson.dumps(orjson.loads(line))


def _render(schema: Schema) -> Callable[[bytes], bytes]:
    """Return the function that converts a line to its document, as a load does it."""
    fast_path = FastPath(schema).document
    walk = Normalizer(schema).document

    def render(line: bytes) -> bytes:
        document = fast_path(line)
        if document is not None:
            return document.source
        event = parse_line(line)
        assert isinstance(event, Event)
        return codec.encode(walk(event).source)

    return render


def _seconds(work: Callable[[Input], object], inputs: Sequence[Input]) -> float:
    began = time.process_time()
    for each in inputs:
        work(each)
    return time.process_time() - began
