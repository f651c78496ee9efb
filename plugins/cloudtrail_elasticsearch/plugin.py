"""The Airflow plugin."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import AirflowPlugin, conf

from cloudtrail_elasticsearch import preload
from cloudtrail_elasticsearch.ui.lazy import LazyApp

PREFIX = "/cloudtrail"


def _view(page: str, destination: str, route: str) -> dict[str, Any]:
    base = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
    return {
        "name": f"CloudTrail {page}",
        "href": f"{base}{PREFIX}/{page}",
        "url_route": route,
        "destination": destination,
        "icon": f"{base}{PREFIX}/static/icon.svg",
        "icon_dark_mode": f"{base}{PREFIX}/static/icon-dark.svg",
    }


class CloudTrailElasticsearchPlugin(AirflowPlugin):
    """The pages in Airflow's UI, and what is imported once for all tasks."""

    name = "cloudtrail_elasticsearch"
    listeners = [preload]  # noqa: RUF012 - as the base class has it
    fastapi_apps = [{"name": "CloudTrail", "app": LazyApp(), "url_prefix": PREFIX}]  # noqa: RUF012
    external_views = [  # noqa: RUF012
        _view("coverage", "nav", "cloudtrail-coverage"),
        _view("coverage", "dag", "cloudtrail-coverage-dag"),
        _view("quarantine", "nav", "cloudtrail-quarantine"),
    ]
