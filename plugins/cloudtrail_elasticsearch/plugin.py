"""The Airflow plugin."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import AirflowPlugin

from cloudtrail_elasticsearch import airflows, preload
from cloudtrail_elasticsearch.ui.lazy import LazyApp, LazyBlueprints
from cloudtrail_elasticsearch.ui.links import CoverageLink, DocumentsLink, RunCoverageLink, StagedObjectsLink
from cloudtrail_elasticsearch.ui.paths import PREFIX, path


def _view(page: str, destination: str, route: str) -> dict[str, Any]:
    return {
        "name": f"CloudTrail {page}",
        "href": path(page),
        "url_route": route,
        "destination": destination,
        "icon": path("static/icon.svg"),
        "icon_dark_mode": path("static/icon-dark.svg"),
    }


def _menu_item(page: str) -> dict[str, str]:
    return {"name": f"CloudTrail {page}", "href": path(page), "category": "Browse"}


class CloudTrailElasticsearchPlugin(AirflowPlugin):
    """The pages in Airflow's UI, the links of the tasks, and what is imported once for all tasks."""

    name = "cloudtrail_elasticsearch"
    listeners = [preload]  # noqa: RUF012 - as the base class has it
    fastapi_apps = [{"name": "CloudTrail", "app": LazyApp(), "url_prefix": PREFIX}]  # noqa: RUF012
    operator_extra_links = [StagedObjectsLink(), DocumentsLink(), CoverageLink(), RunCoverageLink()]  # noqa: RUF012
    external_views = [  # noqa: RUF012
        _view("coverage", "nav", "cloudtrail-coverage"),
        _view("coverage", "dag", "cloudtrail-coverage-dag"),
        _view("quarantine", "nav", "cloudtrail-quarantine"),
    ]
    flask_blueprints = airflows.of_the_webserver(LazyBlueprints())
    appbuilder_menu_items = airflows.of_the_webserver(
        [_menu_item("coverage"), _menu_item("quarantine")],
    )
