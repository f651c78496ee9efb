"""The events of ``query_latency``: 30 days of an organization, rendered once for the loads of all alternatives."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from datetime import date, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any, Final

import orjson

from cloudtrail_elasticsearch.core.documents.events import Event, parse_line
from cloudtrail_elasticsearch.core.documents.normalize import Normalizer
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema import Schema
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.encoding import codec
from devstack.simulator import REGIONS, Generator

DAYS: Final = 30
FIRST_DAY: Final = date(2026, 10, 1)

_ACCOUNTS: Final = {f"{number:012d}": 1 / number for number in range(1, 11)}
"""The events of each account per event of the busiest one."""

_PROCESSES: Final = 2
_SESSIONS: Final = 4
"""The sessions of a role in the same hour."""


@cache
def make_schema() -> Schema:
    """Return the schema of the documents."""
    return build_schema("typed", load_rules())


def render_events(folder: Path, events: int) -> None:
    """Write the documents of each day into a file, unless the folder has it already.

    After a kill, the next run continues with the first missing day.
    """
    folder.mkdir(parents=True, exist_ok=True)
    days = [FIRST_DAY + timedelta(days=number) for number in range(DAYS)]
    missing = [day for day in days if not _file(folder, day).exists()]
    with ProcessPoolExecutor(_PROCESSES) as pool:
        list(pool.map(partial(_render_day, folder, events), missing))


def read_documents(folder: Path) -> Iterator[bytes]:
    """Yield the documents of all days, the first day first, each after its id."""
    for number in range(DAYS):
        with gzip.open(_file(folder, FIRST_DAY + timedelta(days=number))) as lines:
            for line in lines:
                yield line.rstrip(b"\n")


def _render_day(folder: Path, events: int, day: date) -> None:
    generator = Generator(volume=_find_volume(events), activity=_ACCOUNTS)
    normalizer = Normalizer(make_schema())
    file = _file(folder, day)
    written = file.with_suffix(".part")
    with gzip.open(written, "wb", compresslevel=1) as lines:
        for account in _ACCOUNTS:
            for region in REGIONS:
                for entry in generator.newest_first(generator.day(account, region, day)):
                    record = _settle_session(dict(entry.read().fields))
                    event = parse_line(orjson.dumps(record))
                    assert isinstance(event, Event)
                    document = codec.encode(normalizer.document(event).source)
                    lines.write(b"%b %b\n" % (record["eventID"].encode(), document))
    written.rename(file)


def _find_volume(events: int) -> int:
    """Return the volume of the busiest account and region for which all days have about this many events."""
    trial = 1_000
    generator = Generator(volume=trial, activity=_ACCOUNTS)
    days = (FIRST_DAY + timedelta(days=number) for number in range(DAYS))
    spans = [generator.day(account, region, day) for day in days for account in _ACCOUNTS for region in REGIONS]
    return round(trial * events / sum(map(generator.count, spans)))


def _settle_session(record: dict[str, Any]) -> dict[str, Any]:
    """Give the calls of a role in the same hour a few sessions: each generated event has a session of its own."""
    identity = record.get("userIdentity", {})
    if identity.get("type") != "AssumedRole" or "@" in identity["arn"]:
        return record
    role, _, session = identity["arn"].rpartition("/")
    key = f"{role} {record['eventTime'][:13]} {int(record['eventID'][:8], 16) % _SESSIONS}"
    name = hashlib.sha256(key.encode()).hexdigest()
    settled = f"{session.rpartition('-')[0]}-{name[:16]}"
    identity |= {
        "arn": f"{role}/{settled}",
        "principalId": f"{identity['principalId'].partition(':')[0]}:{settled}",
    }
    if "accessKeyId" in identity:
        identity["accessKeyId"] = f"ASIA{name[:16].upper()}"
    return record


def _file(folder: Path, day: date) -> Path:
    return folder / f"{day}.ndjson.gz"
