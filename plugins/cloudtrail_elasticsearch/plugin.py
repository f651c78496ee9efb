"""The Airflow plugin."""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import AirflowPlugin

from cloudtrail_elasticsearch import airflows, preload
from cloudtrail_elasticsearch.ui.lazy import LazyApp, LazyBlueprints
from cloudtrail_elasticsearch.ui.operator_links import (
    CoverageLink,
    DocumentsLink,
    StagedObjectsLink,
)
from cloudtrail_elasticsearch.ui.paths import PREFIX, path


def _make_view(page: str, destination: str, route: str) -> dict[str, Any]:
    return {
        "name": f"CloudTrail {page}",
        "href": path(page),
        "url_route": route,
        "destination": destination,
        "icon": path("static/icon.svg"),
        "icon_dark_mode": path("static/icon-dark.svg"),
    }


def _make_menu_item(page: str) -> dict[str, str]:
    return {"name": f"CloudTrail {page}", "href": path(page), "category": "Browse"}


class CloudTrailElasticsearchPlugin(AirflowPlugin):
    """Registers the pages in Airflow's UI, the links of the tasks, and the listener that preloads modules."""

    name = "cloudtrail_elasticsearch"
    listeners = [preload]  # noqa: RUF012 - as the base class has it
    fastapi_apps = [{"name": "CloudTrail", "app": LazyApp(), "url_prefix": PREFIX}]  # noqa: RUF012
    operator_extra_links = [StagedObjectsLink(), DocumentsLink(), CoverageLink()]  # noqa: RUF012
    external_views = [  # noqa: RUF012
        _make_view("coverage", "nav", "cloudtrail-coverage"),
        _make_view("coverage", "dag", "cloudtrail-coverage-dag"),
        _make_view("quarantine", "nav", "cloudtrail-quarantine"),
    ]
    flask_blueprints = airflows.only_in_airflow_2(LazyBlueprints())
    appbuilder_menu_items = airflows.only_in_airflow_2(
        [_make_menu_item("coverage"), _make_menu_item("quarantine")],
    )
