"""The compose file's OpenSearch, for the tests of the group ``secured-opensearch``."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib import import_module
from importlib.resources import files
from types import ModuleType

import pytest

from .secured_opensearch import SecuredServer, secured_opensearch


@pytest.fixture(scope="session")
def server() -> Iterator[SecuredServer]:
    with secured_opensearch() as running:
        yield running


@pytest.fixture
def parliament(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """Return the linter. It uses the retired pkg_resources only for the path of its own data files."""
    stand_in = ModuleType("pkg_resources")
    vars(stand_in)["resource_filename"] = lambda package, name: str(files(package) / name)
    monkeypatch.setitem(sys.modules, "pkg_resources", stand_in)
    return import_module("parliament")
