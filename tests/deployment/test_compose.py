"""docker-compose.yaml: valid, complete, and closed by default."""

import json
import os
import re
import runpy
import subprocess
from importlib import import_module
from importlib.resources import files
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
import yaml

from cloudtrail_elasticsearch.hooks.search import SearchHook
from cloudtrail_elasticsearch.ui.server import CONNECTION as PAGES
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
from devstack.views.searches import parse_objects
from tests.views.import_api import import_api

ONE_SHOT = {"airflow-init", "opensearch-certificates", "opensearch-views"}
VALUES = {name: f"value-of-{name.lower()}" for name in required_variables()}
PROJECT = load(VALUES)
SERVICES: dict[str, dict[str, Any]] = PROJECT["services"]

each_service = pytest.mark.parametrize("name", SERVICES)


def test_the_file_follows_the_compose_specification() -> None:
    """It is valid against the specification's JSON schema."""
    pytest.importorskip("check_jsonschema", reason="check-jsonschema brings the schema")
    schema = files("check_jsonschema") / "builtin_schemas" / "vendor" / "compose-spec.json"
    import_module("jsonschema").validate(yaml.safe_load(COMPOSE_FILE.read_text()), json.loads(schema.read_text()))


def test_the_file_has_every_service_of_a_celery_deployment() -> None:
    """Airflow's own services for Celery, and OpenSearch with Dashboards."""
    airflow = {"apiserver", "scheduler", "dag-processor", "worker", "triggerer", "init"}
    assert {f"airflow-{part}" for part in airflow} | {"postgres", "redis"} <= SERVICES.keys()
    assert {"opensearch", "opensearch-dashboards"} <= SERVICES.keys()


@pytest.mark.parametrize("name", sorted(required_variables()))
def test_compose_names_a_missing_setting(name: str) -> None:
    """Without any of the required settings Compose stops, with a sentence that names it."""
    with pytest.raises(UnsetVariableError, match=rf"set {name} in \.env"):
        load({other: value for other, value in VALUES.items() if other != name})


def test_a_variable_without_default_is_required() -> None:
    """A variable without a default is required in another place, so it is never silently empty."""
    assert plain_variables() <= required_variables()


def test_every_secret_is_required() -> None:
    """No password, key or secret has a value in the file: each comes from a required setting."""
    secret = re.compile(r"password|secret|_key|\bhash", re.IGNORECASE)
    literal = [
        line.strip()
        for line in COMPOSE_FILE.read_text().splitlines()
        if secret.search(line.split(":")[0]) and ": " in line and not line.lstrip().startswith("#")
        if "${" not in line and not re.search(r"AWS_\w+:$", line)
    ]
    assert literal == []


@each_service
def test_every_service_has_a_health_check_or_runs_once(name: str) -> None:
    """One that runs once is not restarted."""
    service = SERVICES[name]
    assert ("healthcheck" in service) != (name in ONE_SHOT)
    assert service["restart"] == ("no" if name in ONE_SHOT else "unless-stopped")


@each_service
def test_services_wait_until_others_are_healthy(name: str) -> None:
    """Or, if the other service runs once, until it has succeeded."""
    for other, how in SERVICES[name].get("depends_on", {}).items():
        expected = "service_completed_successfully" if other in ONE_SHOT else "service_healthy"
        assert how == {"condition": expected}


@each_service
def test_ports_are_on_loopback(name: str) -> None:
    """No port is published to other hosts."""
    ports = SERVICES[name].get("ports", [])
    assert [port for port in ports if not port.startswith("127.0.0.1:")] == []


@each_service
def test_every_image_is_pinned(name: str) -> None:
    """It has a full version, so that a restart does not bring another one."""
    assert re.search(r":\d+\.\d+(\.\d+)?(-\w+)?$", SERVICES[name]["image"])


@each_service
def test_the_memory_of_every_service_is_limited(name: str) -> None:
    """A service that leaks is stopped before the host fails."""
    assert re.fullmatch(r"\d+[mg]", SERVICES[name]["mem_limit"])


@each_service
def test_every_mount_exists(name: str) -> None:
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


def test_every_declared_volume_and_config_is_used() -> None:
    """None is left over."""
    mounts = {mount.split(":")[0] for service in SERVICES.values() for mount in service.get("volumes", [])}
    configs = {config["source"] for service in SERVICES.values() for config in service.get("configs", [])}
    assert (PROJECT["volumes"].keys() - mounts, PROJECT["configs"].keys() - configs) == (set(), set())


def test_the_image_has_the_locked_versions() -> None:
    """The packages that the image adds have the versions of the test environment."""
    dockerfile = SERVICES["airflow-worker"]["build"]["dockerfile_inline"]
    pins = re.findall(r"^\s+([\w.-]+==[\w.]+)", dockerfile, flags=re.MULTILINE)
    locked = {line.split(" ")[0] for line in (ROOT / "requirements.lock").read_text().splitlines()}
    assert len(pins) == 8
    assert set(pins) <= locked
    base = next(pin for pin in pins if pin.startswith("apache-airflow==")).partition("==")[2]
    assert dockerfile.startswith(f"FROM apache/airflow:{base}-python3.12\n")


def test_the_aws_connection_is_valid_json() -> None:
    """Airflow reads it."""
    aws = json.loads(SERVICES["airflow-worker"]["environment"]["AIRFLOW_CONN_AWS_DEFAULT"])
    assert aws == {"conn_type": "aws", "extra": {"region_name": "us-east-1"}}


@pytest.mark.parametrize(
    ("service", "connection", "user"),
    [
        ("airflow-worker", SearchHook.default_conn_name, "cloudtrail_loader"),
        ("airflow-apiserver", PAGES, "cloudtrail_pages"),
    ],
)
def test_the_search_connections_are_valid_json(service: str, connection: str, user: str) -> None:
    """Airflow reads each of them. Each has its own user and verifies the server's certificate."""
    search = json.loads(SERVICES[service]["environment"][f"AIRFLOW_CONN_{connection.upper()}"])
    assert (search["conn_type"], search["extra"]["engine"]) == ("cloudtrail_search", "opensearch")
    assert (search["schema"], search["extra"]["verify_certs"]) == ("https", True)
    assert search["login"] == user
    folder = str(PurePosixPath(search["extra"]["ca_certs"]).parent)
    assert f"opensearch-ca:{folder}:ro" in SERVICES[service]["volumes"]


@pytest.mark.parametrize("dag", sorted((ROOT / "dags").glob("*.py")), ids=lambda dag: dag.stem)
def test_each_dag_finds_its_bucket(dag: Path) -> None:
    """The worker gets the Airflow variable that the DAG reads; live runs of a trail stage nothing."""
    tasks = runpy.run_path(str(dag))["dag"].task_dict
    bucket = tasks["follow"].partial_kwargs.get("bucket") if "follow" in tasks else tasks["cell.load"].bucket
    if dag.stem == "cloudtrail_trail_live":
        assert not bucket
        return
    (variable,) = re.findall(r"var\.value\.get\('(\w+_bucket)'", bucket)
    environment = SERVICES["airflow-worker"]["environment"]
    assert environment[f"AIRFLOW_VAR_{variable.upper()}"] == VALUES["CLOUDTRAIL_STAGING_BUCKET"]


def test_a_lost_worker_is_noticed_soon() -> None:
    """With Airflow's default, a cell whose supervisor was killed would wait for five minutes."""
    from airflow.configuration import conf

    assert conf.getint("scheduler", "task_instance_heartbeat_timeout") == 300
    environment = SERVICES["airflow-scheduler"]["environment"]
    assert int(environment["AIRFLOW__SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT"]) <= 60


def test_only_the_worker_has_credentials_for_aws_and_loading() -> None:
    """No other Airflow service has AWS keys or the loader's password; the API server may only read."""
    outside = re.compile(r"AIRFLOW_CONN_|AWS_")
    held = {
        name: {key for key in service.get("environment", {}) if outside.match(key)}
        for name, service in SERVICES.items()
    }
    assert held.pop("airflow-apiserver") == {f"AIRFLOW_CONN_{PAGES.upper()}"}
    assert {name for name, keys in held.items() if keys} == {"airflow-worker"}
    loaders = {
        name
        for name, service in SERVICES.items()
        if name.startswith("airflow-") and VALUES["OPENSEARCH_LOADER_PASSWORD"] in str(service["environment"])
    }
    assert loaders == {"airflow-worker"}


def test_only_two_services_have_the_token_key() -> None:
    """The key that signs task tokens is in the services that sign and check them, and not in the worker."""
    holders = {
        name
        for name, service in SERVICES.items()
        if "AIRFLOW__API_AUTH__JWT_SECRET" in service.get("environment", {})
    }
    assert holders == {"airflow-apiserver", "airflow-scheduler"}


def test_the_views_are_imported_on_demand() -> None:
    """Only on request: `up --wait` treats a service that ends, and that no other waits for, as failed."""
    service = SERVICES["opensearch-views"]
    assert service["profiles"] == ["views"]
    assert "opensearch-views" not in {other for each in SERVICES.values() for other in each.get("depends_on", {})}


def test_the_views_command_imports_the_shipped_file() -> None:
    """The command runs unchanged, except for the host and the folder, against its API."""
    command = SERVICES["opensearch-views"]["command"][0]
    (folder, _, inside) = SERVICES["opensearch-views"]["volumes"][0].partition(":")
    with import_api("osd", user="admin:secret") as api:
        moved = command.replace("opensearch-dashboards:5601", f"{api.address}/base")
        moved = moved.replace(f"@{inside.removesuffix(':ro')}/", f"@{ROOT / folder}/")
        environment = os.environ | {"OPENSEARCH_INITIAL_ADMIN_PASSWORD": "secret"}
        subprocess.run([*SERVICES["opensearch-views"]["entrypoint"], moved], check=True, env=environment)
        assert api.taken.keys() == parse_objects((FOLDER / DASHBOARDS.file).read_bytes()).keys()
