"""The compose file's OpenSearch, for the tests of the group ``secured-opensearch``."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .secured_opensearch import SecuredServer, secured_opensearch


@pytest.fixture(scope="session")
def server() -> Iterator[SecuredServer]:
    with secured_opensearch() as running:
        yield running
