"""The pages' app with a real search server behind it. Only Airflow's own permission checks are replaced."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from fastapi.testclient import TestClient

from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from cloudtrail_elasticsearch.ui.access import may_backfill, may_read
from cloudtrail_elasticsearch.ui.app import make_app
from cloudtrail_elasticsearch.ui.server import find_search_server


@pytest.fixture
def server(search_url: str) -> Any:
    return connect(SearchSettings.from_url(search_url))


@pytest.fixture
def client(server: Any) -> Iterator[TestClient]:
    app = make_app()
    app.dependency_overrides = {
        may_read.dependency: lambda: None,
        may_backfill: lambda: True,
        find_search_server: lambda: server,
    }
    with TestClient(app) as made:
        yield made
