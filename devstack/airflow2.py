"""Run a real Airflow 2.11 in its own Python environment, with SQLite and its executor.

The project is not installed in that environment. Its ``dags/`` and ``plugins/`` are copied or linked as folders.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import sqlite3
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Mapping
from http.cookiejar import CookieJar
from pathlib import Path
from typing import Any, Final, Self

from devstack.airflow import free_port
from devstack.airflow_api import AirflowError
from devstack.processes import ROOT, Child

USER: Final = "admin"
_TOKEN: Final = re.compile(r'name="csrf_token"[^>]*value="([^"]+)"')


class Airflow2:
    """The home of an Airflow 2.11.

    :param python: the interpreter of the environment in which Airflow 2.11 is installed
    """

    def __init__(self, python: Path, home: Path, environment: Mapping[str, str]) -> None:
        self._python = python
        self._home = home
        self._given = environment

    @property
    def environment(self) -> dict[str, str]:
        """The environment variables of every process."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")}
        return {
            **inherited,
            "PATH": f"{self._python.parent}{os.pathsep}{os.environ['PATH']}",
            "AIRFLOW_HOME": str(self._home),
            "AIRFLOW__CORE__DAGS_FOLDER": str(ROOT / "dags"),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
            "AIRFLOW__CORE__PLUGINS_FOLDER": str(ROOT / "plugins"),
            # Python stores the compiled modules, so that a task does not compile them again.
            "PYTHONDONTWRITEBYTECODE": "",
            "PYTHONWARNINGS": "ignore",
            **self._given,
        }

    def prepare(self) -> None:
        """Create the home's database."""
        self._home.mkdir(parents=True, exist_ok=True)
        self.command("db", "migrate")

    def command(self, *arguments: str) -> str:
        """Run an ``airflow`` command and return its output.

        :raises AirflowError: it fails; the message has the end of its output
        """
        done = self.attempt(*arguments)
        if done.returncode:
            words = (done.stdout + done.stderr)[-5000:]
            raise AirflowError(f"airflow {' '.join(arguments)} failed ({done.returncode}): {words}")
        return done.stdout

    def attempt(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run an ``airflow`` command that may fail, and return the finished process."""
        return subprocess.run(
            self._airflow(*arguments), env=self.environment, capture_output=True, text=True, check=False
        )

    def script(self, file: Path) -> str:
        """Run a Python file in Airflow's environment and return its output."""
        done = subprocess.run(
            [self._python, file], env=self.environment, stdout=subprocess.PIPE, text=True, check=True
        )
        return done.stdout

    def begin(self, name: str, *arguments: str) -> Child:
        """Start an ``airflow`` command without waiting for it; its log is in the home."""
        return Child(f"airflow {name}", self._airflow(*arguments), self._home / f"{name}.log", self.environment)

    def dataset_events(self) -> list[tuple[str, dict[str, Any]]]:
        """Return the dataset events in order: the URI of each dataset, and the extra values of the event."""
        asked = "select uri, e.extra from dataset_event e join dataset d on d.id = e.dataset_id order by e.id"
        with contextlib.closing(sqlite3.connect(self._home / "airflow.db")) as database:
            return [(uri, json.loads(extra)) for uri, extra in database.execute(asked)]

    def _airflow(self, *arguments: str) -> list[str]:
        return [str(self._python), "-m", "airflow", *arguments]


class Webserver:
    """The UI of an Airflow 2.11 home with a user ``admin``; it runs inside the ``with`` block."""

    def __init__(self, airflow: Airflow2) -> None:
        self._airflow = airflow
        self._port = free_port(0)
        self.password = secrets.token_hex(16)

    @property
    def url(self) -> str:
        """The address of the UI."""
        return f"http://127.0.0.1:{self._port}"

    def __enter__(self) -> Self:
        self.create_user(USER, "Admin", self.password)
        options = ("--port", str(self._port), "--hostname", "127.0.0.1", "--workers", "1")
        self._process = self._airflow.begin("webserver", "webserver", *options)
        try:
            self._process.wait_until(self._is_healthy, 120)
        except BaseException:
            self._process.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stop()

    def create_user(self, name: str, role: str, password: str) -> None:
        """Add a user."""
        person = ("--firstname", name, "--lastname", name, "--email", f"{name}@localhost")
        self._airflow.command(
            "users", "create", "--username", name, "--role", role, "--password", password, *person
        )

    def session(self, name: str, password: str) -> urllib.request.OpenerDirector:
        """Log in with the form, as people do, and return an opener of pages for that user."""
        session = anonymous()
        login = f"{self.url}/login/"
        with session.open(login, timeout=60) as form:
            found = _TOKEN.search(form.read().decode())
        assert found, "the login form has no token"
        fields = {"username": name, "password": password, "csrf_token": found[1]}
        session.open(login, urllib.parse.urlencode(fields).encode(), timeout=60).close()
        return session

    def _is_healthy(self) -> bool | None:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=5):
                return True
        except OSError:
            return None


def anonymous() -> urllib.request.OpenerDirector:
    """Return an opener of pages for somebody who is not logged in, with cookies."""
    return urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()))
