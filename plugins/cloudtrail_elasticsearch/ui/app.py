"""The pages and their data: FastAPI, mounted into Airflow's API server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any, Final

import msgspec
import orjson
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response

from cloudtrail_elasticsearch.core import codec, links, overview, refused
from cloudtrail_elasticsearch.core.coverage import State
from cloudtrail_elasticsearch.core.errors import LoaderError, TransientError
from cloudtrail_elasticsearch.core.index_setup import SearchServer
from cloudtrail_elasticsearch.ui.access import DAG_ID, may_backfill, may_read
from cloudtrail_elasticsearch.ui.backfills import Backfill, Replay, reprocess
from cloudtrail_elasticsearch.ui.server import DASHBOARDS, dashboards, search_server
from cloudtrail_elasticsearch.ui.tables import Tables

STATIC: Final = Path(__file__).parent / "static"
DAYS: Final = 90
NEVER_PLANNED: Final = "none"

_TYPES: Final = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
_HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}

Server = Annotated[SearchServer, Depends(search_server)]


def _tables(request: Request) -> Tables:
    kept: Tables = request.app.state.tables
    return kept


def make_app() -> FastAPI:
    """Make the app: nothing of it is answered to who may not read the DAG."""
    app = FastAPI(title="CloudTrail", docs_url=None, redoc_url=None, openapi_url=None, dependencies=[may_read])
    app.state.tables = Tables()
    app.middleware("http")(_with_headers)
    app.exception_handler(LoaderError)(_told)
    app.get("/coverage")(page)
    app.get("/quarantine")(quarantine_page)
    app.get("/static/{name}")(static)
    app.get("/api/coverage")(coverage)
    app.get("/api/cells")(cells)
    app.get("/api/backfill")(backfill)
    app.get("/api/quarantine")(quarantine)
    app.get("/api/quarantine/event")(quarantined_event)
    return app


def page() -> Response:
    """The coverage page."""
    return static("coverage.html")


def quarantine_page() -> Response:
    """The quarantine page."""
    return static("quarantine.html")


def static(name: str) -> Response:
    """A file of the pages'."""
    file = STATIC / name
    if file.parent != STATIC or file.suffix not in _TYPES or not file.is_file():
        raise HTTPException(404)
    return Response(file.read_bytes(), media_type=_TYPES[file.suffix])


def coverage(
    server: Server,
    tables: Annotated[Tables, Depends(_tables)],
    backfills: Annotated[bool, Depends(may_backfill)],
    first: date | None = None,
    last: date | None = None,
    account: str | None = None,
    pattern: str | None = None,
) -> Response:
    """The cells of some days, in columns; without days, of the last ninety that are over."""
    known = overview.known(server)
    choice = _choice(
        first, last, account or next(iter(known.accounts), ""), pattern or overview.usual(known.patterns)
    )
    return _json(
        {
            **msgspec.to_builtins(choice),
            "accounts": known.accounts,
            "patterns": known.patterns,
            "table": orjson.Fragment(tables.get(server, choice, known.version)),
            "states": overview.STATES,
            "may_backfill": backfills,
            "dag_id": DAG_ID,
        }
    )


def cells(server: Server, day: date, region: str, account: str, pattern: str) -> Response:
    """All that the ledger has of one cell, with where to look on."""
    choice = overview.Choice(day, day, account, pattern)
    base = dashboards()
    found = overview.cells(server, choice, region)
    for cell in found:
        cell["documents"] = base and links.discover(base, server.engine, account, region, *_times(cell))
    return _json({"cells": found, "dashboards_variable": None if base else DASHBOARDS})


def backfill(
    first: date,
    last: date,
    pattern: str,
    region: Annotated[list[str], Query()],
    state: Annotated[list[str], Query()],
) -> Response:
    """The backfill of chosen cells, for a shell and for Airflow's API."""
    states = [None if name == NEVER_PLANNED else State(name) for name in state]
    chosen = Backfill(DAG_ID, first, last, tuple(region), pattern, reprocess(states))
    return _json({"command": chosen.command, "body": chosen.body})


def quarantine(
    server: Server, backfills: Annotated[bool, Depends(may_backfill)], pattern: str | None = None
) -> Response:
    """What is in quarantine, by its cause, with what would mend it, and how it is replayed."""
    known = refused.patterns(server)
    chosen = pattern or overview.usual(list(known))
    groups = [
        msgspec.to_builtins(group) | {"remedy": group.remedy, "rule": group.rule}
        for group in refused.groups(server, chosen)
    ]
    replay = Replay(DAG_ID, chosen, *overview.quarantined_days(server, chosen))
    return _json(
        {
            "pattern": chosen,
            "patterns": known,
            "groups": groups,
            "looked_at": sum(group["events"] for group in groups),
            "command": replay.command(server.name),
            "body": replay.body,
            "dag_id": DAG_ID,
            "may_trigger": backfills,
        }
    )


def quarantined_event(server: Server, pattern: str, id: str) -> Response:  # noqa: A002 - the address says it so
    """One event of the quarantine, whole."""
    found = refused.entry(server, pattern, id)
    if found is None:
        raise HTTPException(404, "It is no longer in quarantine.")
    return _json(found)


def _choice(first: date | None, last: date | None, account: str, pattern: str) -> overview.Choice:
    last = last or datetime.now(UTC).date() - timedelta(days=1)
    first = first or last - timedelta(days=DAYS - 1)
    if not 0 <= (last - first).days < overview.MOST_DAYS:
        raise HTTPException(400, f"Choose from 1 to {overview.MOST_DAYS} days.")
    return overview.Choice(first, last, account, pattern)


def _times(cell: dict[str, Any]) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(cell["start"]), datetime.fromisoformat(cell["end"])


def _json(value: Any) -> Response:
    return Response(codec.encode(value), media_type="application/json")


async def _with_headers(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await answer(request)
    response.headers.update(_HEADERS)
    return response


async def _told(_: Request, error: Exception) -> Response:
    """Tell why there is no answer: 503 for what passes by itself, 502 for what has to be mended."""
    status = 503 if isinstance(error, TransientError) else 502
    return Response(codec.encode({"detail": str(error)}), status, media_type="application/json")
