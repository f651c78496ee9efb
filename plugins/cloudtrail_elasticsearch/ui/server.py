"""The search server of the pages, and the address of its dashboards."""

from __future__ import annotations

import time
from contextlib import suppress
from functools import lru_cache
from typing import Final

from airflow.providers.common.compat.sdk import AirflowNotFoundException

from cloudtrail_elasticsearch.airflows import read_variable
from cloudtrail_elasticsearch.core.errors import ConfigurationError
from cloudtrail_elasticsearch.core.search.server import SearchServer
from cloudtrail_elasticsearch.hooks.search import SearchHook

SECONDS_KEPT: Final = 60
CONNECTION: Final = "cloudtrail_pages"
"""The connection that the pages use; its user needs no right to write or to read events."""

DASHBOARDS: Final = "cloudtrail_dashboards_url"
"""The Airflow variable with the address of Kibana or OpenSearch Dashboards."""


def find_dashboards() -> str | None:
    """Return the address of Kibana or OpenSearch Dashboards; None if the variable is not set."""
    return read_variable(DASHBOARDS)


def find_search_server() -> SearchServer:
    """Return the search server of the pages; a changed connection takes effect within `SECONDS_KEPT`.

    It uses the connection `CONNECTION`, or if that does not exist, the connection that loads.

    :raises ConfigurationError: neither connection exists, or the connection is incomplete
    """
    # The argument changes each `SECONDS_KEPT`, and the cached server is then opened again.
    return _open_server(int(time.monotonic() / SECONDS_KEPT))


@lru_cache(maxsize=1)
def _open_server(_: int) -> SearchServer:
    # The connection of the pages first, because it needs fewer rights.
    for name in (CONNECTION, SearchHook.default_conn_name):
        with suppress(AirflowNotFoundException):
            return SearchHook(name).get_conn()
    raise ConfigurationError(
        f"No connection to the search server is configured. Add the Airflow connection {CONNECTION}, with a user "
        f"who may read cloudtrail-coverage, cloudtrail-quarantine and cloudtrail-rules, or add the connection "
        f"{SearchHook.default_conn_name}."
    )
