"""What the pages show, as bytes: the same whichever framework of Airflow's serves it."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson

from cloudtrail_elasticsearch import airflows
from cloudtrail_elasticsearch.core import codec, links, overview, refused
from cloudtrail_elasticsearch.core.coverage import State
from cloudtrail_elasticsearch.core.errors import LoaderError, TransientError
from cloudtrail_elasticsearch.core.index_setup import SearchServer
from cloudtrail_elasticsearch.ui.backfills import Backfill, Replay, reprocess
from cloudtrail_elasticsearch.ui.server import DASHBOARDS, dashboards
from cloudtrail_elasticsearch.ui.tables import Tables

DAG_ID: Final = "cloudtrail_to_elasticsearch"
"""Who may read this DAG may see the pages, and who may run it may start what they offer."""

STATIC: Final = Path(__file__).parent / "static"
DAYS: Final = 90
NEVER_PLANNED: Final = "none"
JSON: Final = "application/json"

TYPES: Final = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}
"""Go with every answer."""


class AskedError(ValueError):
    """What was asked for is not there to be asked for; `status` is HTTP's."""

    def __init__(self, status: int, message: str = "") -> None:
        super().__init__(message)
        self.status = status


def page(name: str) -> tuple[bytes, str]:
    """Return a file of the pages', with its media type.

    :raises AskedError: there is none of this name
    """
    file = STATIC / name
    if file.parent != STATIC or file.suffix not in TYPES or not file.is_file():
        raise AskedError(404, "There is no such page.")
    return file.read_bytes(), TYPES[file.suffix]


def coverage(
    server: SearchServer,
    tables: Tables,
    days: tuple[date | None, date | None],
    account: str | None,
    pattern: str | None,
    may_backfill: bool,
) -> bytes:
    """Return the cells of some days, in columns; without days, of the last ninety that are over.

    :raises AskedError: too many days, or none
    """
    known = overview.known(server)
    choice = _choice(*days, account or next(iter(known.accounts), ""), pattern or overview.usual(known.patterns))
    return codec.encode(
        {
            **msgspec.to_builtins(choice),
            "accounts": known.accounts,
            "patterns": known.patterns,
            "table": orjson.Fragment(tables.get(server, choice, known.version)),
            "states": overview.STATES,
            "may_backfill": may_backfill,
            "dag_id": DAG_ID,
        }
    )


def cells(server: SearchServer, day: date, region: str, account: str, pattern: str) -> bytes:
    """Return all that the ledger has of one day and region, with where to look on."""
    base = dashboards()
    found = overview.cells(server, overview.Choice(day, day, account, pattern), region)
    for cell in found:
        cell["task"] = airflows.task_page(**cell["run"]) if cell.get("run") else None
        cell["documents"] = base and links.discover(base, server.engine, account, region, *_times(cell))
    return codec.encode({"cells": found, "dashboards_variable": None if base else DASHBOARDS})


def backfill(first: date, last: date, regions: Sequence[str], states: Sequence[str], pattern: str) -> bytes:
    """Return the backfill of chosen cells: the command for a shell, and the request for Airflow's API.

    :raises AskedError: a state is none of ours
    """
    try:
        known = [None if name == NEVER_PLANNED else State(name) for name in states]
    except ValueError as error:
        raise AskedError(400, str(error)) from error
    chosen = Backfill(DAG_ID, first, last, tuple(regions), pattern, reprocess(known))
    return codec.encode({"command": chosen.command, "request": chosen.request, "dag_id": DAG_ID})


def quarantine(server: SearchServer, pattern: str | None, may_trigger: bool) -> bytes:
    """Return what is in quarantine, by its cause, with what would mend it, and how it is replayed."""
    known = refused.patterns(server)
    chosen = pattern or overview.usual(list(known))
    groups = [
        msgspec.to_builtins(group) | {"remedy": group.remedy, "rule": group.rule}
        for group in refused.groups(server, chosen)
    ]
    replay = Replay(DAG_ID, chosen, *overview.quarantined_days(server, chosen))
    return codec.encode(
        {
            "pattern": chosen,
            "patterns": known,
            "groups": groups,
            "looked_at": sum(group["events"] for group in groups),
            "command": replay.command(server.name),
            "request": replay.request,
            "run_page": airflows.run_page(DAG_ID),
            "may_trigger": may_trigger,
        }
    )


def quarantined_event(server: SearchServer, pattern: str, identifier: str) -> bytes:
    """Return one event of the quarantine, whole.

    :raises AskedError: it is no longer in quarantine
    """
    found = refused.entry(server, pattern, identifier)
    if found is None:
        raise AskedError(404, "It is no longer in quarantine.")
    return codec.encode(found)


def told(error: Exception) -> tuple[bytes, int]:
    """Return why there is no answer, with HTTP's status: 503 for what passes by itself, 502 for what does not."""
    if isinstance(error, AskedError):
        status = error.status
    else:
        assert isinstance(error, LoaderError)  # noqa: S101 - nothing else is handled
        status = 503 if isinstance(error, TransientError) else 502
    return codec.encode({"detail": str(error)}), status


def _choice(first: date | None, last: date | None, account: str, pattern: str) -> overview.Choice:
    last = last or datetime.now(UTC).date() - timedelta(days=1)
    first = first or last - timedelta(days=DAYS - 1)
    if not 0 <= (last - first).days < overview.MOST_DAYS:
        raise AskedError(400, f"Choose from 1 to {overview.MOST_DAYS} days.")
    return overview.Choice(first, last, account, pattern)


def _times(cell: dict[str, Any]) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(cell["start"]), datetime.fromisoformat(cell["end"])
