"""The pages in Airflow 2: a Flask blueprint of its webserver's, made when the webserver reads it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

from cloudtrail_elasticsearch.ui.paths import PREFIX

if TYPE_CHECKING:
    from flask import Blueprint, Response


class LazyBlueprints:
    """What a plugin has as its blueprints: tasks read plugins, too, and need no Flask."""

    def __iter__(self) -> Iterator[Blueprint]:
        yield make_blueprint()


def make_blueprint() -> Blueprint:
    """Make the blueprint: nothing of it is answered to who may not read the DAG."""
    from flask import Blueprint, request

    from cloudtrail_elasticsearch.core.errors import LoaderError
    from cloudtrail_elasticsearch.ui import answers
    from cloudtrail_elasticsearch.ui.server import search_server
    from cloudtrail_elasticsearch.ui.tables import Tables

    pages, tables = Blueprint("cloudtrail", __name__, url_prefix=PREFIX), Tables()
    pages.before_request(_refused)
    pages.after_request(_with_headers)
    for kind in (LoaderError, answers.AskedError):
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
    from airflow.auth.managers.models.resource_details import DagAccessEntity

    return _may("POST", DagAccessEntity.RUN)


def _may(method: str, entity: Any = None) -> bool:
    from airflow.auth.managers.models.resource_details import DagDetails
    from airflow.www.extensions.init_auth_manager import get_auth_manager

    from cloudtrail_elasticsearch.ui.answers import DAG_ID

    manager = get_auth_manager()
    return bool(manager.is_authorized_dag(method=method, access_entity=entity, details=DagDetails(id=DAG_ID)))


def _refused() -> Any:
    """Send who is not logged in to the login, or say 401 to a script; say 403 to who may not read the DAG."""
    from airflow.www.extensions.init_auth_manager import get_auth_manager
    from flask import redirect, request

    from cloudtrail_elasticsearch.core import codec

    manager = get_auth_manager()
    if not manager.is_logged_in():
        if not request.path.startswith(f"{PREFIX}/api/"):
            return redirect(manager.get_url_login(next_url=request.url))
        return _answer(codec.encode({"detail": "You are not logged in to Airflow."}), 401)
    if not _may("GET"):
        return _answer(codec.encode({"detail": "You may not read this DAG."}), 403)
    return None


def _day(name: str, *otherwise: Any) -> Any:
    """Return a day that is asked for by its name; what stands for one that is not, where there is such a thing."""
    from flask import request

    from cloudtrail_elasticsearch.ui.answers import AskedError

    given = request.args.get(name)
    if given is None and otherwise:
        return otherwise[0]
    try:
        return date.fromisoformat(given or "")
    except ValueError as error:
        raise AskedError(422, f"{name} is {given!r}, which is not a day like 2026-11-20.") from error


def _text(name: str) -> str:
    from flask import request

    from cloudtrail_elasticsearch.ui.answers import AskedError

    given = request.args.get(name)
    if given is None:
        raise AskedError(422, f"{name} is not given.")
    return str(given)


def _answer(content: bytes, status: int = 200, media_type: str = "application/json") -> Response:
    from flask import Response

    return Response(content, status, mimetype=media_type)


def _with_headers(response: Response) -> Response:
    from cloudtrail_elasticsearch.ui.answers import HEADERS

    response.headers.update(HEADERS)
    return response
