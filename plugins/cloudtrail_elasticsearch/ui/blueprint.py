"""The pages in Airflow 2: a Flask blueprint of its webserver's."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any

from airflow.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.www.extensions.init_auth_manager import get_auth_manager
from flask import Blueprint, Response, redirect, request

from cloudtrail_elasticsearch.core.errors import LoaderError
from cloudtrail_elasticsearch.ui import answers
from cloudtrail_elasticsearch.ui.answers import DAG_ID, HEADERS, AskedError
from cloudtrail_elasticsearch.ui.paths import PREFIX
from cloudtrail_elasticsearch.ui.server import search_server
from cloudtrail_elasticsearch.ui.tables import Tables


def make_blueprint() -> Blueprint:
    """Make the blueprint: nothing of it is answered to who may not read the DAG."""
    pages, tables = Blueprint("cloudtrail", __name__, url_prefix=PREFIX), Tables()
    pages.before_request(_admit)
    pages.after_request(_with_headers)
    for kind in (LoaderError, AskedError):
        pages.register_error_handler(kind, lambda error: _answer(*answers.told(error)))

    def serve(address: str, answer: Callable[..., tuple[bytes, str] | bytes]) -> None:
        def served(**parts: str) -> Response:
            found = answer(**parts)
            return _answer(found) if isinstance(found, bytes) else _answer(found[0], media_type=found[1])

        pages.add_url_rule(address, address, served)

    serve("/coverage", lambda: answers.page("coverage.html"))
    serve("/quarantine", lambda: answers.page("quarantine.html"))
    serve("/static/<name>", answers.page)
    serve(
        "/api/coverage",
        lambda: answers.coverage(
            search_server(),
            tables,
            (_day("first", None), _day("last", None)),
            request.args.get("account"),
            request.args.get("pattern"),
            may_run(),
        ),
    )
    serve(
        "/api/cells",
        lambda: answers.cells(search_server(), _day("day"), *map(_text, ("region", "account", "pattern"))),
    )
    serve(
        "/api/backfill",
        lambda: answers.backfill(
            _day("first"),
            _day("last"),
            request.args.getlist("region"),
            request.args.getlist("state"),
            _text("pattern"),
        ),
    )
    serve("/api/quarantine", lambda: answers.quarantine(search_server(), request.args.get("pattern"), may_run()))
    serve(
        "/api/quarantine/event",
        lambda: answers.quarantined_event(search_server(), _text("pattern"), _text("id")),
    )
    return pages


def may_run() -> bool:
    """Whether the user may make runs of the DAG."""
    return _may("POST", DagAccessEntity.RUN)


def _may(method: str, entity: Any = None) -> bool:
    manager = get_auth_manager()
    return bool(manager.is_authorized_dag(method=method, access_entity=entity, details=DagDetails(id=DAG_ID)))


def _admit() -> Any:
    """Send who is not logged in to the login, where a page is asked for.

    :raises AskedError: data are asked for by who is not logged in, or anything by who may not read the DAG
    """
    manager = get_auth_manager()
    if not manager.is_logged_in():
        if not request.path.startswith(f"{PREFIX}/api/"):
            return redirect(manager.get_url_login(next_url=request.url))
        raise AskedError(401, "You are not logged in to Airflow.")
    if not _may("GET"):
        raise AskedError(403, "You may not read this DAG.")
    return None


def _day(name: str, *otherwise: Any) -> Any:
    """Return a day that is asked for by its name; what stands for one that is not, where there is such a thing."""
    given = request.args.get(name)
    if given is None and otherwise:
        return otherwise[0]
    try:
        return date.fromisoformat(given or "")
    except ValueError as error:
        raise AskedError(422, f"{name} is {given!r}, which is not a day like 2026-11-20.") from error


def _text(name: str) -> str:
    given = request.args.get(name)
    if given is None:
        raise AskedError(422, f"{name} is not given.")
    return str(given)


def _answer(content: bytes, status: int = 200, media_type: str = "application/json") -> Response:
    return Response(content, status, mimetype=media_type)


def _with_headers(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response
