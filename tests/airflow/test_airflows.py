"""Differences between Airflow versions, on Airflow 3; `tests/airflow2` tests them on 2.11."""

from __future__ import annotations

import re

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


def test_an_api_server_registers_no_pages_of_a_webserver() -> None:
    """Otherwise Airflow's FAB provider would serve them a second time."""
    plugin = CloudTrailElasticsearchPlugin
    assert list(plugin.flask_blueprints) == list(plugin.appbuilder_menu_items) == []
    assert plugin.fastapi_apps
