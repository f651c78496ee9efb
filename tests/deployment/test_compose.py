"""docker-compose.yaml: valid, complete, and closed by default."""

import json
import os
import re
import subprocess
from importlib import import_module
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from devstack.compose.reading import (
    COMPOSE_FILE,
    ROOT,
    UnsetVariableError,
    load,
    plain_variables,
    required_variables,
)
from devstack.views.__main__ import FOLDER
from devstack.views.products import DASHBOARDS
from tests.views.asked import parsed
from tests.views.import_api import import_api

ONE_SHOT = {"airflow-init", "opensearch-certificates", "opensearch-views"}
VALUES = {name: f"value-of-{name.lower()}" for name in required_variables()}
PROJECT = load(VALUES)
SERVICES: dict[str, dict[str, Any]] = PROJECT["services"]

each_service = pytest.mark.parametrize("name", SERVICES)


def test_follows_the_compose_specification() -> None:
    """The file is valid against the JSON schema of the Compose specification."""
    pytest.importorskip("check_jsonschema", reason="check-jsonschema brings the schema")
    schema = files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    import_module("jsonschema").validate(yaml.safe_load(COMPOSE_FILE.read_text()), json.loads(schema.read_text()))


def test_has_every_part_of_a_celery_deployment() -> None:
    """The services are Airflow's own set for Celery, and OpenSearch with Dashboards."""
    airflow = {"apiserver", "scheduler", "dag-processor", "worker", "triggerer", "init"}
    assert {f"airflow-{part}" for part in airflow} | {"postgres", "redis"} <= SERVICES.keys()
    assert {"opensearch", "opensearch-dashboards"} <= SERVICES.keys()


@pytest.mark.parametrize("name", sorted(required_variables()))
def test_a_missing_setting_stops_with_its_name(name: str) -> None:
    """Without any one of the required settings Compose stops, with a sentence that names it."""
    with pytest.raises(UnsetVariableError, match=rf"set {name} in \.env"):
        load({other: value for other, value in VALUES.items() if other != name})


def test_a_variable_without_default_is_required() -> None:
    """A variable that is used bare is one that another place requires, so it is never silently empty."""
    assert plain_variables() <= required_variables()


def test_every_secret_is_required() -> None:
    """No password, key or secret in the file is a text of its own: each comes from a required setting."""
    secret = re.compile(r"password|secret|_key|\bhash", re.IGNORECASE)
    literal = [
        line.strip()
        for line in COMPOSE_FILE.read_text().splitlines()
        if secret.search(line.split(":")[0]) and ": " in line and not line.lstrip().startswith("#")
        if "${" not in line and not re.search(r"AWS_\w+:$", line)
    ]
    assert literal == []


@each_service
def test_runs_healthy_or_once(name: str) -> None:
    """A service either says how its health is checked, or runs once and is not restarted."""
    service = SERVICES[name]
    assert ("healthcheck" in service) != (name in ONE_SHOT)
    assert service["restart"] == ("no" if name in ONE_SHOT else "unless-stopped")


@each_service
def test_waits_for_health_not_for_start(name: str) -> None:
    """A dependency is waited for until it is healthy or, if it runs once, has succeeded."""
    for other, how in SERVICES[name].get("depends_on", {}).items():
        expected = "service_completed_successfully" if other in ONE_SHOT else "service_healthy"
        assert how == {"condition": expected}


@each_service
def test_ports_are_on_loopback(name: str) -> None:
    """No port is published to other hosts."""
    ports = SERVICES[name].get("ports", [])
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


@each_service
def test_image_is_pinned(name: str) -> None:
    """An image is named with a full version, so that a restart does not bring another one."""
    assert re.search(r":\d+\.\d+(\.\d+)?(-\w+)?$", SERVICES[name]["image"])


@each_service
def test_memory_is_bounded(name: str) -> None:
    """A service that leaks is stopped before it takes the host down."""
    assert re.fullmatch(r"\d+[mg]", SERVICES[name]["mem_limit"])


@each_service
def test_mounts_exist(name: str) -> None:
    """A mounted folder is in the repository and read-only; a mounted volume or config is declared."""
    for mount in SERVICES[name].get("volumes", []):
        source, _, options = mount.partition(":")
        if source.startswith("."):
            assert (ROOT / source).is_dir()
            assert options.endswith(":ro")
        else:
            assert source in PROJECT["volumes"]
    for config in SERVICES[name].get("configs", []):
        assert PurePosixPath(config["target"]).name == config["source"]
        assert config["source"] in PROJECT["configs"]


def test_nothing_is_declared_in_vain() -> None:
    """Every volume and config that is declared is used."""
    mounts = {mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])}
    configs = {config["source"] for service in SERVICES.values() for config in service.get("configs", [])}
    assert (PROJECT["volumes"].keys() - mounts, PROJECT["configs"].keys() - configs) == (set(), set())


def test_the_image_has_the_locked_versions() -> None:
    """What the image installs on top of Airflow's own has the versions that the tests ran with."""
    dockerfile = SERVICES["airflow-worker"]["build"]["dockerfile_inline"]
    pins = re.findall(r"^\s+([\w.-]+==[\w.]+)", dockerfile, flags=re.MULTILINE)
    locked = {line.split(" ")[0] for line in (ROOT / "requirements.lock").read_text().splitlines()}
    assert len(pins) == 7
    assert set(pins) <= locked
    base = next(pin for pin in pins if pin.startswith("apache-airflow==")).partition("==")[2]
    assert dockerfile.startswith(f"FROM apache/airflow:{base}-python3.12\n")


def test_connections_parse() -> None:
    """Both connections are JSON that Airflow reads, and the search one verifies the server's certificate."""
    environment = SERVICES["airflow-worker"]["environment"]
    aws = json.loads(environment["AIRFLOW_CONN_AWS_DEFAULT"])
    search = json.loads(environment["AIRFLOW_CONN_ELASTICSEARCH_DEFAULT"])
    assert aws == {"conn_type": "aws", "extra": {"region_name": "us-east-1"}}
    assert (search["conn_type"], search["extra"]["engine"]) == ("cloudtrail_search", "opensearch")
    assert (search["schema"], search["extra"]["verify_certs"]) == ("https", True)
    folder = str(PurePosixPath(search["extra"]["ca_certs"]).parent)
    assert f"opensearch-ca:{folder}:ro" in SERVICES["airflow-worker"]["volumes"]


@pytest.mark.parametrize("dag", sorted((ROOT / "dags").glob("*.py")), ids=lambda dag: dag.stem)
def test_each_dag_finds_its_bucket(dag: Path) -> None:
    """The Airflow variable that it reads is the one that the worker is given."""
    (variable,) = re.findall(r"var\.value\.get\('(\w+_bucket)'", dag.read_text())
    environment = SERVICES["airflow-worker"]["environment"]
    assert environment[f"AIRFLOW_VAR_{variable.upper()}"] == VALUES["CLOUDTRAIL_STAGING_BUCKET"]


def test_a_lost_worker_is_noticed_soon() -> None:
    """Airflow's default is five minutes, in which a cell whose supervisor was killed would wait."""
    from airflow.configuration import conf

    assert conf.getint("scheduler", "task_instance_heartbeat_timeout") == 300
    environment = SERVICES["airflow-scheduler"]["environment"]
    assert int(environment["AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT"]) <= 60


def test_only_the_worker_holds_credentials_for_the_outside() -> None:
    """AWS keys and the search password reach no Airflow service but the worker."""
    outside = re.compile(r"AIRFLOW_CONN_|AWS_")
    holders = {
        name for name, service in SERVICES.items() if any(map(outside.match, service.get("environment", {})))
    }
    assert holders == {"airflow-worker"}


def test_only_token_services_hold_the_token_key() -> None:
    """The key that signs task tokens is with the two that sign and check them, and not with the worker."""
    holders = {
        name
        for name, service in SERVICES.items()
        if "AIRFLOW__API_AUTH__JWT_SECRET" in service.get("environment", {})
    }
    assert holders == {"airflow-apiserver", "airflow-scheduler"}


def test_the_views_are_imported_on_demand() -> None:
    """Only when asked for, as `up --wait` takes a service that ends, and that none waits for, for a failed one."""
    service = SERVICES["opensearch-views"]
    assert service["profiles"] == ["views"]
    assert "opensearch-views" not in {other for each in SERVICES.values() for other in each.get("depends_on", {})}


def test_the_views_command_imports_the_shipped_file() -> None:
    """Run as it stands, but for the host and the folder, against the API that it is for."""
    command = SERVICES["opensearch-views"]["command"][0]
    (folder, _, inside) = SERVICES["opensearch-views"]["volumes"][0].partition(":")
    with import_api("osd", user="admin:secret") as api:
        moved = command.replace("opensearch-dashboards:5601", f"{api.address}/base")
        moved = moved.replace(f"@{inside.removesuffix(':ro')}/", f"@{ROOT / folder}/")
        environment = os.environ | {"OPENSEARCH_INITIAL_ADMIN_PASSWORD": "secret"}
        subprocess.run([*SERVICES["opensearch-views"]["entrypoint"], moved], check=True, env=environment)
        assert api.taken.keys() == parsed((FOLDER / DASHBOARDS.file).read_bytes()).keys()
