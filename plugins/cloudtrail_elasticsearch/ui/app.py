"""The pages in Airflow 3: FastAPI, mounted into its API server."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Annotated

from fastapi import Depends, FastAPI, Request, Response

from cloudtrail_elasticsearch.core.errors import LoaderError
from cloudtrail_elasticsearch.core.search.server import SearchServer
from cloudtrail_elasticsearch.ui import answers
from cloudtrail_elasticsearch.ui.access import add_login, may_backfill, may_read
from cloudtrail_elasticsearch.ui.questions import AskedError, Question
from cloudtrail_elasticsearch.ui.server import find_search_server
from cloudtrail_elasticsearch.ui.tables import Tables


def _read_question(request: Request) -> Question:
    return Question.from_pairs(request.query_params.multi_items())


Server = Annotated[SearchServer, Depends(find_search_server)]
Asked = Annotated[Question, Depends(_read_question)]
MayBackfill = Annotated[bool, Depends(may_backfill)]


def _find_tables(request: Request) -> Tables:
    tables: Tables = request.app.state.tables
    return tables


def make_app() -> FastAPI:
    """Return the app; every route requires the right to read the DAG."""
    # Airflow does not protect a plugin's routes. FastAPI's own pages would not have these dependencies.
    app = FastAPI(title="CloudTrail", docs_url=None, redoc_url=None, openapi_url=None, dependencies=[may_read])
    app.state.tables = Tables()
    # A middleware, so that the answers to errors have the headers, too.
    app.middleware("http")(_add_headers)
    app.exception_handler(LoaderError)(_respond_with_error)
    app.exception_handler(AskedError)(_respond_with_error)
    add_login(app)
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
    """Return a static file of the pages."""
    content, media_type = answers.read_static_file(name)
    return Response(content, media_type=media_type)


def coverage(
    asked: Asked, server: Server, tables: Annotated[Tables, Depends(_find_tables)], backfills: MayBackfill
) -> Response:
    """Return the cells of a range of days."""
    return _make_response(answers.coverage(asked, server, tables, may_backfill=backfills))


def cells(asked: Asked, server: Server) -> Response:
    """Return the cells of one day and region."""
    return _make_response(answers.cells(asked, server))


def backfill(asked: Asked, server: Server) -> Response:
    """Return the backfills of the chosen cells."""
    return _make_response(answers.backfill(asked, server))


def quarantine(asked: Asked, server: Server, backfills: MayBackfill) -> Response:
    """Return the quarantined events, grouped by cause."""
    return _make_response(answers.quarantine(asked, server, may_trigger=backfills))


def quarantined_event(asked: Asked, server: Server) -> Response:
    """Return one quarantined event."""
    return _make_response(answers.quarantined_event(asked, server))


def _make_response(content: bytes, status: int = 200) -> Response:
    return Response(content, status, media_type=answers.JSON)


async def _add_headers(request: Request, answer: Callable[[Request], Awaitable[Response]]) -> Response:
    response = await answer(request)
    for name, value in answers.HEADERS.items():
        response.headers.setdefault(name, value)
    return response


async def _respond_with_error(_: Request, error: Exception) -> Response:
    return _make_response(*answers.encode_error(error))
