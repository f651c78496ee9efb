"""Local programs in place of images, prepared as the entrypoints of the images do it."""

from __future__ import annotations

import os
import pwd
import shlex
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from devstack.processes import ServiceError
from devstack.search_server.configuration import unprivileged

_POSTGRES: Final = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
_SHELLS: Final = ("bash", "python", "airflow")


def airflow(command: Sequence[str]) -> list[str]:
    """Return a command as the entrypoint of Airflow's image runs it: a subcommand of ``airflow``, or a program.

    https://airflow.apache.org/docs/docker-stack/entrypoint.html
    """
    return [*command] if command[0] in _SHELLS else ["airflow", *command]


def redis(command: Sequence[str], data: Path, port: int) -> list[str]:
    """Return the command of a Redis that keeps its data in a folder."""
    _own(data)
    place = ("--bind", "127.0.0.1", "--port", str(port), "--dir", str(data))
    return [*unprivileged(), _program("redis-server"), *command[1:], *place]


def postgres(environment: Mapping[str, str], data: Path, port: int) -> list[str]:
    """Create a database cluster with the user and database of the image's variables; return the server's command.

    https://hub.docker.com/_/postgres
    """
    _own(data.parent)
    initdb, server = (_program(name, _POSTGRES) for name in ("initdb", "postgres"))
    password = data.parent / "password"
    password.touch(mode=0o600)
    password.write_text(environment["POSTGRES_PASSWORD"])
    options = ("--username", environment["POSTGRES_USER"], "--pwfile", str(password))
    _run([initdb, "--pgdata", str(data), *options, "--auth-host", "scram-sha-256", "--auth-local", "trust"])
    made = f'CREATE DATABASE "{environment["POSTGRES_DB"]}";\n'
    _run([server, "--single", "-D", str(data), "postgres"], made)
    sockets = f"unix_socket_directories={data.parent}"
    return [
        *(*unprivileged(), server, "-D", str(data), "-p", str(port)),
        *("-c", "listen_addresses=127.0.0.1", "-c", sockets),
    ]


def health(test: Sequence[str]) -> list[str]:
    """Return the command of a health check of the form ``CMD`` or ``CMD-SHELL``."""
    how, *words = test
    return words if how == "CMD" else ["/bin/sh", "-c", *words]


def words(command: str | Sequence[str]) -> list[str]:
    """Return the words of a command, which is a text or a list of words."""
    return shlex.split(command) if isinstance(command, str) else list(command)


def _run(command: list[str], told: str = "") -> None:
    done = subprocess.run([*unprivileged(), *command], input=told, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServiceError(f"{command[0]} failed ({done.returncode}): {(done.stdout + done.stderr)[-2000:]}")


def _own(folder: Path) -> None:
    """Make a folder of the user that runs the servers."""
    folder.mkdir(parents=True, exist_ok=True)
    if os.geteuid() == 0:
        user = pwd.getpwnam("nobody")
        os.chown(folder, user.pw_uid, user.pw_gid)


def _program(name: str, folders: Sequence[Path] = ()) -> str:
    path = os.pathsep.join([*map(str, reversed(folders)), os.environ["PATH"]])
    found = shutil.which(name, path=path)
    if found is None:
        raise ServiceError(f"{name} is not installed: apt-get install postgresql redis-server")
    return found
