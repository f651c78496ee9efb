"""Run Airflow's services of docker-compose.yaml, with its PostgreSQL and its Redis, as local programs.

Commands, environments, health checks and dependencies come from the file. A container has ports, a file system and
a host name of its own, and these programs share theirs; `Project._moves` and `Project._ports` replace these
values. OpenSearch's services are left out, because only their images have the security plugin.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

import psutil

from devstack.airflow import free_port
from devstack.compose import programs
from devstack.compose.reading import load
from devstack.processes import ROOT, Child, ServiceError

AIRFLOW: Final = "cloudtrail-elasticsearch/airflow"
WORKER: Final = "airflow-worker"
LEFT_OUT: Final = frozenset({"opensearch-certificates", "opensearch", "opensearch-dashboards", "opensearch-views"})

PAGES: Final = "AIRFLOW_CONN_CLOUDTRAIL_PAGES"
"""The API server's connection to the search server."""

_SECONDS: Final = 240


class Project:
    """The services; they run inside the ``with`` block.

    :param python: the interpreter of an environment with the packages of the image
    :param home: a folder for all data of the services
    :param variables: the settings, as in ``.env``
    :param outside: the worker's variables with the addresses of AWS and the search server, instead of the file's
    :param workers: the number of workers, as with ``--scale airflow-worker=2``
    """

    def __init__(
        self, python: Path, home: Path, variables: Mapping[str, str], outside: Mapping[str, str], workers: int = 2
    ) -> None:
        self._python = python
        self._home = home
        self._outside = outside
        services: dict[str, dict[str, Any]] = load(variables)["services"]
        self._services = {name: service for name, service in services.items() if name not in LEFT_OUT}
        self.workers = [f"{WORKER}-{number}" for number in range(1, workers + 1)]
        worker = self._services.pop(WORKER)
        self._services |= dict.fromkeys(self.workers, worker)
        self._port = {
            name: free_port(0) for name in ("postgres", "redis", "airflow-apiserver", "airflow-scheduler")
        }
        self._log_port = {name: free_port(0) for name in self._services}
        self._children: dict[str, Child] = {}

    @property
    def url(self) -> str:
        """The address of Airflow's UI and API."""
        return f"http://127.0.0.1:{self._port['airflow-apiserver']}"

    @property
    def names(self) -> list[str]:
        """The services, with each worker by itself."""
        return list(self._services)

    def __enter__(self) -> Self:
        self._home.mkdir(parents=True, exist_ok=True)
        for folder in ("dags", "plugins"):
            (self._home / folder).symlink_to(ROOT / folder)
        try:
            for name in self._services:
                self._start(name)
            for name in self._services:
                self._await(name)
        except BaseException:
            self._stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._stop()

    def is_healthy(self, name: str) -> bool:
        """Run a service's health check once, in its environment."""
        test = self._moved(programs.health(self._services[name]["healthcheck"]["test"]))
        done = subprocess.run(test, env=self._environment(name), capture_output=True, check=False)
        return done.returncode == 0

    def execute(self, name: str, *command: str) -> str:
        """Run a command in a service's environment, like ``docker compose exec``, and return its output.

        :raises CalledProcessError: it fails
        """
        done = subprocess.run(
            command, env=self._environment(name), stdout=subprocess.PIPE, stderr=sys.stderr, text=True, check=True
        )
        return done.stdout

    def kill(self, name: str) -> None:
        """Kill a service with all its processes at once, like ``kill -9`` or a lost machine."""
        child = self._children.pop(name)
        for process in [*psutil.Process(child.pid).children(recursive=True), psutil.Process(child.pid)]:
            process.kill()
        child.kill()

    def log(self, name: str) -> str:
        """Return the output of a service."""
        return (self._home / f"{name}.log").read_text(errors="replace")

    def _start(self, name: str) -> None:
        for other, how in self._services[name].get("depends_on", {}).items():
            assert how["condition"] in {"service_healthy", "service_completed_successfully"}
            self._await(other)
        log = self._home / f"{name}.log"
        self._children[name] = Child(name, self._command(name), log, self._environment(name))

    def _await(self, name: str) -> None:
        """Wait until a service is healthy. A service without a health check must end with success."""
        child = self._children[name]
        if "healthcheck" not in self._services[name]:
            if code := child.end(_SECONDS):
                raise ServiceError(f"{name} ended with {code}: {self.log(name)[-3000:]}")
            return
        deadline = time.monotonic() + _SECONDS
        while not self.is_healthy(name):
            child.check()
            if time.monotonic() > deadline:
                raise ServiceError(f"{name} is not healthy after {_SECONDS} s: {self.log(name)[-3000:]}")
            time.sleep(1)

    def _stop(self) -> None:
        for name in reversed(list(self._children)):
            self._children.pop(name).stop()

    def _command(self, name: str) -> list[str]:
        service = self._services[name]
        command = self._moved(programs.words(service.get("command", ())))
        match service["image"].partition(":")[0]:
            case "postgres":
                data = self._home / name / "data"
                return programs.postgres(service["environment"], data, self._port[name])
            case "redis":
                return programs.redis(command, self._home / name, self._port[name])
            case image if image == AIRFLOW:
                told = programs.airflow(command)
                return [*told, "--celery-hostname", f"celery@{name}"] if name in self.workers else told
            case image:
                raise ServiceError(f"No local program replaces the image {image}.")

    def _environment(self, name: str) -> dict[str, str]:
        """Return a service's environment: the file's variables, and of ours only those that locate programs."""
        found = {
            key: value for key, value in self._services[name].get("environment", {}).items() if value is not None
        }
        given = dict(zip(found, self._moved([str(value) for value in found.values()]), strict=True))
        return {
            "HOME": str(self._home),
            "LANG": "C.UTF-8",
            "PATH": f"{self._python.parent}{os.pathsep}{os.environ['PATH']}",
            "AIRFLOW_HOME": str(self._home),
            **given,
            **self._ports(name),
            **self._elsewhere(name),
        }

    def _elsewhere(self, name: str) -> dict[str, str]:
        """Return the variables with the addresses of AWS and the search server, if the service has any."""
        if name in self.workers:
            return dict(self._outside)
        search = self._outside.get("AIRFLOW_CONN_ELASTICSEARCH_DEFAULT")
        return {PAGES: search} if search and PAGES in self._services[name].get("environment", {}) else {}

    def _ports(self, name: str) -> dict[str, str]:
        """Return the variables that give a program a free port in place of a container's own port."""
        everywhere = {
            "HOSTNAME": name,
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self._port["postgres"]),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self._port["airflow-apiserver"]),
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_HOST": "127.0.0.1",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEALTH_CHECK_SERVER_PORT": str(self._port["airflow-scheduler"]),
        }
        for kind in ("WORKER", "TRIGGER"):
            everywhere[f"AIRFLOW__LOGGING__{kind}_LOG_SERVER_PORT"] = str(self._log_port[name])
        return everywhere

    def _moved(self, texts: Sequence[str]) -> list[str]:
        """Replace paths and names of a container by those of this machine."""
        moved = list(texts)
        for container, here in self._moves().items():
            moved = [text.replace(container, here) for text in moved]
        return moved

    def _moves(self) -> dict[str, str]:
        at = {name: f"127.0.0.1:{port}" for name, port in self._port.items()}
        return {
            "@postgres/": f"@{at['postgres']}/",
            "@redis:6379": f"@{at['redis']}",
            "redis-cli ": f"redis-cli -p {self._port['redis']} ",
            "airflow-apiserver:8080": at["airflow-apiserver"],
            "localhost:8080": at["airflow-apiserver"],
            "localhost:8974": at["airflow-scheduler"],
            "/opt/airflow": str(self._home),
        }
