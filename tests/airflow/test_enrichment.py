"""Enrichment of a load task: its setting, the databases' folder, and the names that the plan records."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.coverage.accounts import Account
from cloudtrail_elasticsearch.core.coverage.ledger import Ledger
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.errors import AccessDeniedError, EnrichmentError
from cloudtrail_elasticsearch.hooks.cloudtrail import CloudTrailHook
from cloudtrail_elasticsearch.operators.enrichment import open_enrichment
from cloudtrail_elasticsearch.operators.trail_plan import CloudTrailTrailPlanOperator
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.simulator import DEFAULT_ACCOUNT
from tests.airflow.conftest import Services, TrailServices
from tests.airflow.test_operators import fetch, load
from tests.clock import today
from tests.core.ip_databases import CITIES, NETWORKS, PARIS, write_database

EVERYWHERE = {"0.0.0.0/0": PARIS}
NO_SERVER: Any = None
"""Without names of accounts, no server is asked."""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder in which the deployment allows databases."""
    found = tmp_path / "databases"
    found.mkdir()
    monkeypatch.setenv("AIRFLOW__CLOUDTRAIL__DATABASES_FOLDER", str(found))
    return found


@pytest.fixture
def search(services: Services) -> Callable[..., Any]:
    """Return the documents of the index."""
    server = connect(SearchSettings.from_url(services.search_url))

    def find(query: dict[str, Any]) -> int:
        server.request("POST", f"/{services.index}/_refresh")
        found: int = server.request("POST", f"/{services.index}/_count", codec.encode({"query": query}))["count"]
        return found

    return find


def test_the_setting_is_the_operators_or_the_variables(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An operator's own one overrides the variable; an empty one turns everything off."""
    write_database(folder / "city.mmdb", CITIES)
    write_database(folder / "asn.mmdb", NETWORKS, "GeoLite2-ASN")
    assert open_enrichment(None, NO_SERVER) is None
    monkeypatch.setenv(
        "AIRFLOW_VAR_CLOUDTRAIL_ENRICHMENT", json.dumps({"ip_databases": ["city.mmdb"], "user_agents": True})
    )
    by_variable = open_enrichment(None, NO_SERVER)
    assert by_variable is not None
    assert by_variable.kinds == ["GeoLite2-City", "user_agents"]
    by_operator = open_enrichment({"ip_databases": ["asn.mmdb", str(folder / "city.mmdb")]}, NO_SERVER)
    assert by_operator is not None
    assert by_operator.kinds == ["GeoLite2-ASN", "GeoLite2-City"]
    assert open_enrichment("", NO_SERVER) is open_enrichment({}, NO_SERVER) is None


@pytest.mark.promise("closed")
def test_only_databases_of_the_folder_are_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """People who can set a variable cannot find out which other files exist."""
    outside = write_database(folder.parent / "city.mmdb", CITIES)
    (folder / "link.mmdb").symlink_to(outside)
    for name in (str(outside), "../city.mmdb", "link.mmdb", "/etc/passwd", "/no/such/file"):
        monkeypatch.setenv("AIRFLOW_VAR_CLOUDTRAIL_ENRICHMENT", json.dumps({"ip_databases": [name]}))
        with pytest.raises(
            EnrichmentError, match=r"variable cloudtrail_enrichment is .* not below the folder"
        ) as raised:
            open_enrichment(None, NO_SERVER)
        assert "AIRFLOW__CLOUDTRAIL__DATABASES_FOLDER" in str(raised.value)
    with pytest.raises(EnrichmentError, match=r"The operator's enrichment is wrong: .*unknown field `geo`"):
        open_enrichment({"geo": True}, NO_SERVER)
    with pytest.raises(EnrichmentError, match=rf"The database {folder}/city\.mmdb cannot be read: No such file"):
        open_enrichment({"ip_databases": ["city.mmdb"]}, NO_SERVER)


def test_a_load_enriches_its_documents(services: Services, folder: Path, search: Callable[..., int]) -> None:
    """With the names of accounts that a plan has recorded; without ECS fields, with nothing."""
    fetch(services)
    server = connect(SearchSettings.from_url(services.search_url))
    Ledger(server, services.index).record_account_names({DEFAULT_ACCOUNT: "payments"})
    write_database(folder / "city.mmdb", EVERYWHERE)
    enrichment = {"ip_databases": ["city.mmdb"], "user_agents": True, "account_names": True}
    cell = load(services, enrichment=enrichment)
    assert cell["indexed"] == search({"match_all": {}}) > 0
    # Callers of other accounts have no name.
    with_name = search({"term": {"cloud.account.name": "payments"}})
    assert with_name == search({"term": {"cloud.account.id": DEFAULT_ACCOUNT}}) > 0
    assert search({"exists": {"field": "user_agent.name"}}) > 0
    with_place = search({"term": {"source.geo.city_name": "Paris"}})
    assert with_place == search({"exists": {"field": "source.ip"}}) > 0
    other = f"{services.index}-without"
    load(services, enrichment=enrichment, ecs=False, index=other)
    found = server.request("POST", f"/{other}/_search", codec.encode({"size": 1_000}))["hits"]["hits"]
    assert found
    assert not any({"geo", "as"} & hit["_source"].get("source", {}).keys() for hit in found)


def test_the_plan_of_a_trail_records_the_names_of_accounts(
    trail_services: TrailServices, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only if they are wanted, and it plans without them if they cannot be listed."""
    trail_services.write()
    server = connect(SearchSettings.from_url(trail_services.search_url))
    account = Account("909090909090", f"payments of {trail_services.index}")
    monkeypatch.setattr(CloudTrailHook, "list_accounts", lambda _: [account])

    def plan(**arguments: Any) -> list[dict[str, Any]]:
        days = {"start": str(today() - timedelta(days=4)), "end": str(today() - timedelta(days=3))}
        operator = CloudTrailTrailPlanOperator(
            task_id="plan",
            bucket=trail_services.bucket,
            index=trail_services.index,
            search_conn_id="elasticsearch_default",
            **days,
            **arguments,
        )
        return operator.execute({})

    def names() -> list[str | None]:
        found = open_enrichment({"account_names": True}, server)
        assert found is not None
        assert found.account_names is not None
        return [found.account_names.get(account.id)]

    before = names()
    batches = plan(enrichment={"user_agents": True})
    assert batches
    assert names() == before
    assert len(plan(enrichment={"account_names": True})) == len(batches)
    assert names() == [account.name]

    def refuse(_: CloudTrailHook) -> list[Account]:
        raise AccessDeniedError("organizations:ListAccounts is not allowed")

    monkeypatch.setattr(CloudTrailHook, "list_accounts", refuse)
    assert len(plan(enrichment={"account_names": True})) == len(batches)


def test_a_broken_database_stops_a_load_before_anything_is_sent(
    services: Services, folder: Path, search: Callable[..., int]
) -> None:
    """In one sentence; the next attempt loads the events."""
    fetch(services)
    (folder / "city.mmdb").write_bytes(b"half a file")
    with pytest.raises(EnrichmentError, match=r"city\.mmdb is broken, or not in MaxMind's format"):
        load(services, enrichment={"ip_databases": ["city.mmdb"]})
    server = connect(SearchSettings.from_url(services.search_url))
    assert server.request("GET", f"/{services.index}*/_settings") == {}
    write_database(folder / "city.mmdb", EVERYWHERE)
    assert load(services, enrichment={"ip_databases": ["city.mmdb"]})["quarantined"] == 0
    assert search({"term": {"source.geo.country_iso_code": "FR"}}) > 0


def test_only_a_forced_load_renews_the_enrichment(
    services: Services, folder: Path, search: Callable[..., int]
) -> None:
    """New data alone loads no finished window again, and another kind of database does."""
    fetch(services)
    write_database(folder / "city.mmdb", EVERYWHERE)
    enrichment = {"ip_databases": ["city.mmdb"]}
    load(services, enrichment=enrichment)
    in_paris = search({"term": {"source.geo.city_name": "Paris"}})
    assert in_paris > 0
    write_database(folder / "city.mmdb", {"0.0.0.0/0": {"city": {"names": {"en": "Lima"}}}})
    load(services, enrichment=enrichment)
    assert search({"term": {"source.geo.city_name": "Paris"}}) == in_paris
    load(services, enrichment=enrichment, force=True)
    assert search({"term": {"source.geo.city_name": "Lima"}}) == in_paris


def test_the_module_of_the_setting_imports_no_package() -> None:
    """A task without enrichment imports neither the parser nor the reader."""
    program = (
        "import sys; import cloudtrail_elasticsearch.operators.loading; "
        "sys.exit(bool({'maxminddb', 'ua_parser'} & set(sys.modules)))"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
