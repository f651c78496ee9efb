"""The Airflow plugin."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import AirflowPlugin, conf

from cloudtrail_elasticsearch import preload
from cloudtrail_elasticsearch.ui.lazy import LazyApp

PREFIX = "/cloudtrail"


def _view(destination: str, route: str) -> dict[str, Any]:
    base = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
    return {
        "name": "CloudTrail coverage",
        "href": f"{base}{PREFIX}/coverage",
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
    external_views = [_view("nav", "cloudtrail-coverage"), _view("dag", "cloudtrail-coverage-dag")]  # noqa: RUF012
