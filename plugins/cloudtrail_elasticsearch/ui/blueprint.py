"""The pages in Airflow 2: a Flask blueprint for its webserver."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from airflow.auth.managers.models.resource_details import DagAccessEntity, DagDetails
from airflow.www.extensions.init_auth_manager import get_auth_manager
from flask import Blueprint, Response, redirect, request

from cloudtrail_elasticsearch.core.errors import LoaderError
from cloudtrail_elasticsearch.ui import answers
from cloudtrail_elasticsearch.ui.answers import HEADERS
from cloudtrail_elasticsearch.ui.backfills import DAG_ID
from cloudtrail_elasticsearch.ui.paths import PREFIX
from cloudtrail_elasticsearch.ui.questions import AskedError, Question
from cloudtrail_elasticsearch.ui.server import find_search_server
from cloudtrail_elasticsearch.ui.tables import Tables


def make_blueprint() -> Blueprint:
    """Return the blueprint; every route requires the right to read the DAG."""
    pages, tables = Blueprint("cloudtrail", __name__, url_prefix=PREFIX), Tables()
    # Before each request, so that no route can lack the check.
    pages.before_request(_check_user)
    pages.after_request(_add_headers)
    for kind in (LoaderError, AskedError):
        pages.register_error_handler(kind, lambda error: _make_response(*answers.encode_error(error)))

    def serve(address: str, answer: Callable[..., tuple[bytes, str] | bytes]) -> None:
        def served(**parts: str) -> Response:
            found = answer(**parts)
            return (
                _make_response(found)
                if isinstance(found, bytes)
                else _make_response(found[0], media_type=found[1])
            )

        pages.add_url_rule(address, address, served)

    serve("/coverage", lambda: answers.read_static_file("coverage.html"))
    serve("/quarantine", lambda: answers.read_static_file("quarantine.html"))
    serve("/static/<name>", answers.read_static_file)
    serve(
        "/api/coverage",
        lambda: answers.coverage(_read_question(), find_search_server(), tables, may_backfill=may_trigger()),
    )
    serve("/api/cells", lambda: answers.cells(_read_question(), find_search_server()))
    serve("/api/backfill", lambda: answers.backfill(_read_question(), find_search_server()))
    serve(
        "/api/quarantine",
        lambda: answers.quarantine(_read_question(), find_search_server(), may_trigger=may_trigger()),
    )
    serve("/api/quarantine/event", lambda: answers.quarantined_event(_read_question(), find_search_server()))
    return pages


def may_trigger() -> bool:
    """Return whether the user may trigger the DAG."""
    return _is_authorized("POST", DagAccessEntity.RUN)


def _is_authorized(method: str, entity: Any = None) -> bool:
    manager = get_auth_manager()
    return bool(manager.is_authorized_dag(method=method, access_entity=entity, details=DagDetails(id=DAG_ID)))


def _check_user() -> Any:
    """Check the user; redirect a page request to the login page if nobody is logged in.

    :raises AskedError: nobody is logged in and data are requested (401), or the user may not read the DAG (403)
    """
    manager = get_auth_manager()
    if not manager.is_logged_in():
        if not request.path.startswith(f"{PREFIX}/api/"):
            return redirect(manager.get_url_login(next_url=request.url))
        # A script cannot follow a redirect to a page, so it gets a status.
        raise AskedError(401, "You are not logged in to Airflow.")
    if not _is_authorized("GET"):
        raise AskedError(403, "You are not allowed to read this DAG.")
    return None


def _read_question() -> Question:
    return Question.from_pairs(request.args.items(multi=True))


def _make_response(content: bytes, status: int = 200, media_type: str = "application/json") -> Response:
    return Response(content, status, mimetype=media_type)


def _add_headers(response: Response) -> Response:
    response.headers.update(HEADERS)
    return response
