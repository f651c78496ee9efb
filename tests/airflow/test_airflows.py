"""What differs between Airflows, as this one has it; `tests/airflow2` has it on the other."""

from __future__ import annotations

import re

from cloudtrail_elasticsearch import airflows
from cloudtrail_elasticsearch.plugin import CloudTrailElasticsearchPlugin
from devstack.processes import ROOT

PACKAGE = ROOT / "plugins" / "cloudtrail_elasticsearch"


def test_no_other_module_asks_which_airflow_it_runs_on() -> None:
    """Nor do the DAGs."""
    asks = re.compile(r"from airflow import .*__version__|airflow\.__version__|AIRFLOW_V_|airflow\.version")
    files = [*PACKAGE.rglob("*.py"), *(ROOT / "dags").glob("*.py")]
    assert [file.name for file in files if asks.search(file.read_text())] == ["airflows.py"]


def test_an_airflow_with_policies_has_its_operators_as_they_are() -> None:
    """A failure reaches the policy as what it is."""

    def execute() -> None:
        """Fail."""

    assert airflows.ends_on((ValueError,))(execute) is execute


def test_an_api_server_takes_no_pages_of_a_webserver() -> None:
    """Else Airflow's FAB provider would serve them a second time."""
    plugin = CloudTrailElasticsearchPlugin
    assert list(plugin.flask_blueprints) == list(plugin.appbuilder_menu_items) == []
    assert plugin.fastapi_apps
