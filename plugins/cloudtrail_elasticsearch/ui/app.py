"""The pages in Airflow 3: FastAPI, mounted into its API server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from datetime import date
from typing import Annotated

from fastapi import Depends, FastAPI, Query, Request, Response

from cloudtrail_elasticsearch.core.errors import LoaderError
from cloudtrail_elasticsearch.core.index_setup import SearchServer
from cloudtrail_elasticsearch.ui import answers
from cloudtrail_elasticsearch.ui.access import may_backfill, may_read
from cloudtrail_elasticsearch.ui.server import search_server
from cloudtrail_elasticsearch.ui.tables import Tables

Server = Annotated[SearchServer, Depends(search_server)]
MayBackfill = Annotated[bool, Depends(may_backfill)]


def _tables(request: Request) -> Tables:
    kept: Tables = request.app.state.tables
    return kept


def make_app() -> FastAPI:
    """Make the app: nothing of it is answered to who may not read the DAG."""
    app = FastAPI(title="CloudTrail", docs_url=None, redoc_url=None, openapi_url=None, dependencies=[may_read])
    app.state.tables = Tables()
    app.middleware("http")(_with_headers)
    app.exception_handler(LoaderError)(_told)
    app.exception_handler(answers.AskedError)(_told)
    app.get("/coverage")(lambda: static("coverage.html"))
    app.get("/quarantine")(lambda: static("quarantine.html"))
    app.get("/static/{name}")(static)
    app.get("/api/coverage")(coverage)
    app.get("/api/cells")(cells)
    app.get("/api/backfill")(backfill)
    app.get("/api/quarantine")(quarantine)
    app.get("/api/quarantine/event")(quarantined_event)
    return app


def static(name: str) -> Response:
    """A file of the pages'."""
    content, media_type = answers.page(name)
    return Response(content, media_type=media_type)


def coverage(
    server: Server,
    tables: Annotated[Tables, Depends(_tables)],
    backfills: MayBackfill,
    first: date | None = None,
    last: date | None = None,
    account: str | None = None,
    pattern: str | None = None,
) -> Response:
    """The cells of some days."""
    return _json(answers.coverage(server, tables, (first, last), account, pattern, backfills))


def cells(server: Server, day: date, region: str, account: str, pattern: str) -> Response:
    """One day and region."""
    return _json(answers.cells(server, day, region, account, pattern))


def backfill(
    first: date,
    last: date,
    pattern: str,
    region: Annotated[list[str], Query()],
    state: Annotated[list[str], Query()],
) -> Response:
    """The backfill of chosen cells."""
    return _json(answers.backfill(first, last, region, state, pattern))


def quarantine(server: Server, backfills: MayBackfill, pattern: str | None = None) -> Response:
    """What is in quarantine."""
    return _json(answers.quarantine(server, pattern, backfills))


def quarantined_event(server: Server, pattern: str, id: str) -> Response:  # noqa: A002 - the address says it so
    """One event of the quarantine."""
    return _json(answers.quarantined_event(server, pattern, id))


def _json(content: bytes, status: int = 200) -> Response:
    return Response(content, status, media_type=answers.JSON)


async def _with_headers(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await answer(request)
    response.headers.update(answers.HEADERS)
    return response


async def _told(_: Request, error: Exception) -> Response:
    return _json(*answers.told(error))
