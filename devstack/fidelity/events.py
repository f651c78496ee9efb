"""The events to load: recorded ones, and generated ones of every operation in botocore's models."""

from __future__ import annotations

import gzip
import random
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import orjson

from cloudtrail_elasticsearch.core.documents.events import Event, document_id, event_time, parse_line
from devstack.simulator.generator import event_for, operations

CORPUS: Final = Path(__file__).resolve().parents[3] / "shared" / "cloudtrail-corpus"

_FIRST: Final = datetime(2026, 11, 1, tzinfo=UTC)


def read_recorded(folder: Path) -> list[bytes]:
    """Return the lines of a folder's ``*.ndjson.gz``.

    Edited recordings share ids. Of the events with one id only one is kept: a search server would keep the one
    that arrives last, so results would depend on the order.
    """
    lines = (line.rstrip(b"\n") for file in sorted(folder.glob("*.ndjson.gz")) for line in _read(file))
    return list(
        {document_id(event): line for line in lines if isinstance(event := parse_line(line), Event)}.values()
    )


def generate_events(count: int, seed: int = 1) -> Iterator[bytes]:
    """Yield this many events of all operations, in no order of time; events of one operation are adjacent.

    So the model of a service, which is large, is read only once. The operations with one extra event are random.
    """
    known = sorted(operations())
    draw = random.Random(seed)
    each, more = divmod(count, len(known))
    favoured = set(draw.sample(range(len(known)), more))
    number = 0
    for place, (service, operation) in enumerate(known):
        for _ in range(each + (place in favoured)):
            number += 1
            time = _FIRST + timedelta(seconds=draw.randrange(20 * 86_400))
            yield orjson.dumps(event_for(service, operation, seed * 1_000_003 + number, time=time))


def make_orders(lines: Iterable[bytes], shuffles: int) -> Iterator[tuple[str, list[bytes]]]:
    """Yield the lines in the order of time and in shuffled orders, each with the name of the order."""
    ordered = sorted(lines, key=_time)
    yield "time", ordered
    for seed in range(1, shuffles + 1):
        shuffled = ordered.copy()
        random.Random(seed).shuffle(shuffled)
        yield f"shuffle {seed}", shuffled


def _time(line: bytes) -> float:
    event: Any = parse_line(line)
    time = event_time(event)
    return time.timestamp() if time else 0.0


def _read(file: Path) -> Iterator[bytes]:
    with gzip.open(file) as lines:
        yield from lines
