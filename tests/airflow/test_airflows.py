"""Differences between Airflow versions, on Airflow 3.3.

`tests/airflow2` tests them on 2.11, and `tests/airflow3` on 3.0, 3.1 and 3.2.
"""

from __future__ import annotations

import json
import re
import shlex
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from cloudtrail_elasticsearch import airflows
from cloudtrail_elasticsearch.plugin import CloudTrailElasticsearchPlugin
from devstack.processes import ROOT

PACKAGE = ROOT / "plugins" / "cloudtrail_elasticsearch"


def test_only_one_module_checks_the_version_of_airflow() -> None:
    """The DAGs do not check it either."""
    asks = re.compile(r"from airflow import .*__version__|airflow\.__version__|AIRFLOW_V_|airflow\.version")
    files = [*PACKAGE.rglob("*.py"), *(ROOT / "dags").glob("*.py")]
    assert [file.name for file in files if asks.search(file.read_text())] == ["airflows.py"]


def test_with_retry_policies_operators_raise_unchanged_errors() -> None:
    """The policy gets the original error."""

    def execute() -> None:
        """Fail."""

    assert airflows.fail_without_retry((ValueError,))(execute) is execute


def test_without_retry_policies_operators_end_the_task(monkeypatch: pytest.MonkeyPatch) -> None:
    """Airflow 3.0 to 3.2 take no policy, so a final error becomes one that Airflow never retries."""
    from airflow.providers.common.compat.sdk import AirflowFailException

    monkeypatch.setattr(airflows, "HAS_RETRY_POLICIES", False)

    def execute() -> None:
        """Fail."""
        raise ValueError("the reason")

    assert airflows.make_retry_arguments([ValueError]) == {}
    with pytest.raises(AirflowFailException, match="the reason"):
        airflows.fail_without_retry((ValueError,))(execute)()
    with pytest.raises(ValueError, match="the reason"):
        airflows.fail_without_retry((KeyError,))(execute)()


def test_events_of_an_inlet_without_a_filter() -> None:
    """Airflow 3.0 and 3.1 return a list of all events."""
    old, new = (SimpleNamespace(timestamp=datetime(2026, 11, day, tzinfo=UTC)) for day in (1, 2))
    context = {"inlet_events": {"alias": [old, new]}}
    assert list(airflows.read_asset_events(context, "alias", new.timestamp)) == [new]


def test_the_backfill_command_of_3_0_posts_a_conf(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own command takes no conf; without one, the command is that of later versions."""
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "https://airflow.example.com/data/")
    days = ("dag", "2026-11-01", "2026-11-02")
    usual = airflows.backfill_command(*days, "failed", {})
    monkeypatch.setattr(airflows, "_VERSION", (3, 0))
    assert airflows.backfill_command(*days, "failed", {}) == usual
    words = shlex.split(airflows.backfill_command(*days, "failed", {"index": "it's"}))
    assert words[:3] == ["curl", "--fail-with-body", "https://airflow.example.com/data/api/v2/backfills"]
    request = airflows.backfill_request(*days, "failed", {"index": "it's"})
    assert request is not None
    assert json.loads(words[words.index("--json") + 1]) == request["body"]
    assert words[-1] == "Authorization: Bearer $AIRFLOW_TOKEN"


def test_an_api_server_registers_no_pages_of_a_webserver() -> None:
    """Otherwise Airflow's FAB provider would serve them a second time."""
    plugin = CloudTrailElasticsearchPlugin
    assert list(plugin.flask_blueprints) == list(plugin.appbuilder_menu_items) == []
    assert plugin.fastapi_apps
