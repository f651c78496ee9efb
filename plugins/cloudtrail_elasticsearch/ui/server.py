"""The search server, and its dashboards, as the API server reaches them."""

from __future__ import annotations

import time
from functools import lru_cache
from typing import Final

from airflow.providers.common.compat.sdk import AirflowNotFoundException

from cloudtrail_elasticsearch.airflows import variable
from cloudtrail_elasticsearch.core.errors import ConfigurationError
from cloudtrail_elasticsearch.core.index_setup import SearchServer
from cloudtrail_elasticsearch.hooks.search import SearchHook

SECONDS_KEPT: Final = 60
DASHBOARDS: Final = "cloudtrail_dashboards_url"
"""The Airflow variable with the address of Kibana or OpenSearch Dashboards."""


def dashboards() -> str | None:
    """Return the address of Kibana or OpenSearch Dashboards; None where the variable is not set."""
    return variable(DASHBOARDS)


def search_server() -> SearchServer:
    """Return the server of the connection `elasticsearch_default`; a change of the connection is seen in a minute.

    :raises ConfigurationError: there is no such connection, or it lacks something
    """
    return _server(int(time.monotonic() / SECONDS_KEPT))


@lru_cache(maxsize=1)
def _server(_: int) -> SearchServer:
    try:
        return SearchHook().get_conn()
    except AirflowNotFoundException as error:
        raise ConfigurationError(f"There is no search server yet: {error}.") from error
