"""Run a real Airflow: its home, its processes, its command line and its public API.

It uses SQLite and LocalExecutor, so it needs nothing but Python. The demo and the tests use it.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, Final, Self

from devstack.airflow_api import AirflowApi, AirflowError, health
from devstack.processes import ROOT, Child, ServiceError

SERVICES: Final = {"api-server": ["--workers", "1"], "scheduler": ["--skip-serve-logs"], "dag-processor": []}
"""Airflow's processes, and the options that each is started with."""

TRIGGERER: Final = "triggerer"
"""A further process, which only some DAGs need: a caller starts it."""

_PAGE: Final = 100


class BusyError(AirflowError):
    """A backfill cannot be created yet: the last one is still open, or the scheduler has locked SQLite.

    A running scheduler checks every 30 s whether a backfill has ended.
    """


@dataclass(frozen=True, slots=True)
class AirflowSettings:
    """The folder of an Airflow, and the environment (connections, variables) of its processes."""

    home: Path
    environment: Mapping[str, str]
    dags: Path = ROOT / "dags"
    plugins: Path = ROOT / "plugins"
    parallelism: int = 10
    """Tasks at the same time: most of them wait for CloudTrail's quota."""
    port: int = 8080
    """The UI's port. If it is taken, any other port is used."""
    prepared: bool = False
    """Whether another `Airflow.prepare` has just upgraded the home's database."""
    python: Path = Path(sys.executable)
    """The interpreter of the environment in which Airflow is installed."""


class Airflow:
    """Starts Airflow on entering, ends it on leaving."""

    def __init__(self, settings: AirflowSettings) -> None:
        self._settings = settings
        self._port = free_port(settings.port)
        self._services: dict[str, Child] = {}

    @property
    def url(self) -> str:
        """The address of the UI and of the API."""
        return f"http://127.0.0.1:{self._port}"

    @property
    def passwords(self) -> dict[str, str]:
        """The passwords of the users, made by Airflow's simple auth manager for this home."""
        file = self._settings.home / "simple_auth_manager_passwords.json.generated"
        return dict(json.loads(file.read_text()))

    @property
    def password(self) -> str:
        """The password of the user ``admin``."""
        return self.passwords["admin"]

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of every process."""
        home = self._settings.home
        return {
            **os.environ,
            "PATH": f"{self._settings.python.parent}{os.pathsep}{os.environ['PATH']}",
            "AIRFLOW_HOME": str(home),
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": str(self._port),
            "AIRFLOW__API__BASE_URL": self.url,
            "AIRFLOW__API_AUTH__JWT_SECRET": _secret(home / "jwt_secret"),
            "AIRFLOW__CORE__DAGS_ARE_PAUSED_AT_CREATION": "false",
            "AIRFLOW__CORE__DAGS_FOLDER": str(self._settings.dags),
            "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"{self.url}/execution/",
            "AIRFLOW__CORE__EXECUTOR": "LocalExecutor",
            "AIRFLOW__CORE__FERNET_KEY": "",
            "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
            "AIRFLOW__CORE__PARALLELISM": str(self._settings.parallelism),
            "AIRFLOW__CORE__MAX_ACTIVE_TASKS_PER_DAG": str(self._settings.parallelism),
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(self._settings.plugins),
            # Changed files are parsed at once; to parse all the others takes seconds of the processor.
            "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "300",
            "AIRFLOW__LOGGING__LOGGING_LEVEL": "INFO",
            "AIRFLOW__SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
            # No run but those of the caller, even if a day ends in the meantime.
            "AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "false",
            # Python stores the compiled modules, so that a task does not compile them again.
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONWARNINGS": "ignore",
            **self._settings.environment,
        }

    def __enter__(self) -> Self:
        if not self._settings.prepared:
            self.prepare()
        try:
            self.start("api-server")
            self.start("dag-processor")
            self.await_answer()
            # A task that cannot reach the API server fails, and is retried only after its retry delay.
            self.start("scheduler")
            self._await(self._healthy)
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    def prepare(self) -> None:
        """Create or upgrade the home's database; needs no service. An environment's first one takes a while."""
        database = self._settings.home / "airflow.db"
        database.parent.mkdir(parents=True, exist_ok=True)
        if database.exists():
            self.command("db", "migrate")
            return
        environment = self._settings.python.parent.parent
        empty = environment / "airflow-empty.db"
        if _is_newer(empty, environment / "installed"):
            shutil.copyfile(empty, database)
            return
        self.command("db", "migrate")
        # Under another name at first, because other processes may copy it at the same time.
        copy = empty.with_name(f"{empty.name}.{os.getpid()}")
        shutil.copyfile(database, copy)
        copy.replace(empty)

    def start(self, service: str) -> None:
        """Start one of `SERVICES`, or the `TRIGGERER`."""
        log = self._settings.home / f"{service}.log"
        command = [*self._airflow, service, *SERVICES.get(service, ["--skip-serve-logs"])]
        self._services[service] = Child(f"airflow {service}", command, log, self.environment)

    def kill(self, service: str) -> None:
        """Kill one of `SERVICES` at once, like ``kill -9``; `start` starts it again."""
        self._services.pop(service).kill()

    def pid(self, service: str) -> int:
        """Return the process id of one of `SERVICES`; it is also the id of its group and of its session."""
        return self._services[service].pid

    def stop(self) -> None:
        """End every process, the scheduler with its tasks first."""
        for service in ("scheduler", TRIGGERER, "dag-processor", "api-server"):
            if service in self._services:
                self._services.pop(service).stop()

    def command(self, *arguments: str) -> str:
        """Run an ``airflow`` command and return its output.

        :raises AirflowError: it fails; the message has the end of its output
        """
        done = subprocess.run(
            [*self._airflow, *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            words = (done.stdout + done.stderr)[-3000:]
            raise AirflowError(f"airflow {' '.join(arguments)} failed ({done.returncode}): {words}")
        return done.stdout

    def request(self, method: str, path: str, body: object = None) -> Any:
        """Send a request to Airflow's public API as the user ``admin``; `path` begins after ``/api/v2``.

        :raises AirflowError: the answer is an error
        """
        return self._admin.request(method, path, body)

    def user(self, name: str) -> AirflowApi:
        """Return the API for a user of this home."""
        return AirflowApi(self.url, name, self.passwords[name])

    @property
    def _airflow(self) -> list[str]:
        return [str(self._settings.python), "-m", "airflow"]

    @cached_property
    def _admin(self) -> AirflowApi:
        return self.user("admin")

    def runs(self, dag_id: str) -> list[dict[str, Any]]:
        """Return the DAG's runs, the newest logical date first."""
        answer = self.request("GET", f"/dags/{dag_id}/dagRuns?limit=100&order_by=-logical_date")
        return list(answer["dag_runs"])

    def tasks(self, dag_id: str, **filters: str) -> list[dict[str, Any]]:
        """Return the task instances of all runs of a DAG.

        :raises AirflowError: the API server does not answer
        """
        chosen = "".join(f"&{name}={value}" for name, value in filters.items())
        found: list[dict[str, Any]] = []
        while True:
            query = f"limit={_PAGE}&offset={len(found)}&order_by=id{chosen}"
            answer = self.request("GET", f"/dags/{dag_id}/dagRuns/~/taskInstances?{query}")
            found += answer["task_instances"]
            if not answer["task_instances"] or len(found) >= answer["total_entries"]:
                return found

    def backfill(self, dag_id: str, first: str, last: str, *arguments: str) -> None:
        """Create a backfill of the days from `first` to `last`, both included.

        Call it before the services run, if possible: a scheduler may lock SQLite.

        :raises BusyError: it cannot be created yet
        """
        self.command("dags", "reserialize")
        command = ["backfill", "create", "--dag-id", dag_id, "--from-date", first, "--to-date", last, *arguments]
        try:
            self.command(*command)
        except AirflowError as error:
            if any(words in str(error) for words in ("AlreadyRunningBackfill", "database is locked")):
                raise BusyError(f"a backfill of {dag_id} cannot be created yet: {error}") from error
            raise

    def await_answer(self) -> None:
        """Wait until the API server answers, whether or not the other services run."""
        self._await(lambda: bool(self._health()))

    def _await(self, ready: Callable[[], bool], seconds: float = 180) -> None:
        deadline = time.monotonic() + seconds
        while not ready():
            for child in self._services.values():
                child.check()
            if time.monotonic() > deadline:
                raise ServiceError(
                    f"Airflow is not healthy after {seconds:.0f} s; its logs: {self._settings.home}"
                )
            time.sleep(0.5)

    def _healthy(self) -> bool:
        """Whether the API server answers and reports the other two services as healthy."""
        parts = self._health()
        return bool(parts) and all(parts[name]["status"] == "healthy" for name in ("scheduler", "dag_processor"))

    def _health(self) -> dict[str, Any]:
        try:
            return health(self.url)
        except AirflowError:
            return {}


def free_port(wanted: int) -> int:
    """Return the wanted port if nothing listens on it, else another free one."""
    for port in (wanted, 0):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)) as server:
            return int(server.getsockname()[1])
    raise ServiceError("no port is free on 127.0.0.1")


def _is_newer(file: Path, than: Path) -> bool:
    """Whether both files exist, and the first one was written after the second one."""
    return file.exists() and than.exists() and file.stat().st_mtime > than.stat().st_mtime


def _secret(file: Path) -> str:
    """Return the secret in a file. The first call creates it, readable by its owner only."""
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        file.touch(mode=0o600)
        file.write_text(secrets.token_hex(32))
    return file.read_text()
