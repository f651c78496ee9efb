"""Installed as a wheel, or copied as folders: on each Python, Airflow finds the same parts."""

from __future__ import annotations

import email
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path
from typing import Any, Final

import pytest

import cloudtrail_elasticsearch
from devstack.processes import ROOT

pytestmark = pytest.mark.packages

UV: Final = Path(sys.executable).with_name("uv")
DAGS: Final = [
    "cloudtrail_late_events",
    "cloudtrail_live",
    "cloudtrail_to_elasticsearch",
    "cloudtrail_trail_late_files",
    "cloudtrail_trail_live",
    "cloudtrail_trail_to_elasticsearch",
]
LINKS: Final = ["CoverageLink", "DocumentsLink", "StagedObjectsLink"]
LOCK: Final = {
    "3.3.2": "requirements.lock",
    "3.2.2": "requirements-airflow3-2.lock",
    "3.1.8": "requirements-airflow3-1.lock",
    "3.0.6": "requirements-airflow3-0.lock",
    "2.11.2": "requirements-airflow2.lock",
}

combinations = pytest.mark.parametrize(
    ("airflow", "python"),
    [
        *(("3.3.2", python) for python in ("3.11", "3.12", "3.13")),
        *(("2.11.2", python) for python in ("3.11", "3.12")),
        # One Python for each: these are the same wheels as above, with another Airflow.
        ("3.2.2", "3.13"),
        ("3.1.8", "3.12"),
        ("3.0.6", "3.11"),
    ],
)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built as the README describes."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
    subprocess.run([*pip, "--wheel-dir", str(folder), str(ROOT)], check=True)
    (made,) = folder.glob("*.whl")
    return made


def interpreter(version: str) -> str:
    """Return a Python of this version, from the path or from pyenv."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    on_the_path = shutil.which(f"python{version}")
    candidates = [*map(str, pyenv.glob(f"{version}.*/bin/python")), *([on_the_path] if on_the_path else [])]
    for each in candidates:
        asked = [each, "-c", "import sys, ensurepip; print('%d.%d' % sys.version_info[:2])"]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        if done.stdout.strip() == version:
            return each
    pytest.skip(f"there is no Python {version} on this machine")


class Environment:
    """A Python environment and an Airflow home, with an Airflow and its amazon provider."""

    def __init__(self, folder: Path, airflow: str, python: str) -> None:
        self.home = folder / "home"
        self.home.mkdir()
        self._python = folder / "venv" / "bin" / "python"
        self._lock = ROOT / LOCK[airflow]
        subprocess.run([UV, "venv", "--quiet", "--python", interpreter(python), folder / "venv"], check=True)
        self.install(f"apache-airflow=={airflow}", "apache-airflow-providers-amazon")

    def install(self, *what: str) -> None:
        """Install a package with the versions of the lock file."""
        place = ["--python", str(self._python), "--constraint", str(self._lock)]
        subprocess.run([str(UV), "pip", "install", "--quiet", *place, *what], check=True)

    def drop_in(self, *folders: str) -> None:
        """Copy folders into the Airflow home."""
        for folder in folders:
            shutil.copytree(ROOT / folder, self.home / folder, ignore=shutil.ignore_patterns("__pycache__"))

    def found(self) -> dict[str, Any]:
        """Return the parts that Airflow finds."""
        environment = {
            "PATH": f"{self._python.parent}{os.pathsep}{os.defpath}",
            "HOME": str(self.home),
            "AIRFLOW_HOME": str(self.home),
            "AIRFLOW__CORE__LOAD_EXAMPLES": "false",
        }
        script = str(Path(__file__).with_name("found.py"))
        commands: list[list[str]] = [["-m", "airflow", "db", "migrate"], [script]]
        for command in commands:
            done = subprocess.run(
                [self._python, *command],
                env=environment,
                cwd=self.home,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]
        (line,) = (line for line in done.stdout.splitlines() if line.startswith("FOUND "))
        answer: dict[str, Any] = json.loads(line.removeprefix("FOUND "))
        return answer


@combinations
def test_a_wheel_and_the_dags_are_enough(wheel: Path, airflow: str, python: str, tmp_path: Path) -> None:
    """Its entry point gives the plugin; its provider the connection type with its form, and the links."""
    environment = Environment(tmp_path, airflow, python)
    environment.install(str(wheel))
    environment.drop_in("dags")
    found = environment.found()
    assert (found["import_errors"], found["dags"]) == ({}, DAGS)
    assert (found["python"], found["version"]) == (python, cloudtrail_elasticsearch.__version__)
    assert len(found["plugins"]) == 1
    assert f"cloudtrail-elasticsearch=={cloudtrail_elasticsearch.__version__}" in found["plugins"][0]
    assert found["links"] == LINKS
    assert found["connection"] == "Elasticsearch or OpenSearch (CloudTrail)"


@combinations
def test_folders_and_requirements_are_enough(airflow: str, python: str, tmp_path: Path) -> None:
    """A managed Airflow accepts only dags/, plugins/ and requirements.txt."""
    environment = Environment(tmp_path, airflow, python)
    environment.install("-r", str(ROOT / "docs" / "examples" / "requirements.txt"))
    environment.drop_in("dags", "plugins")
    found = environment.found()
    assert (found["import_errors"], found["dags"]) == ({}, DAGS)
    assert (found["python"], found["entry_points"]) == (python, 0)
    assert found["from"].startswith(str(environment.home))
    assert [source.rpartition("/")[2] for source in found["plugins"]] == ["cloudtrail_elasticsearch_plugin.py"]


def test_a_wheel_is_complete(wheel: Path) -> None:
    """It has types, pages, rules, one version and its dependencies, and no tests."""
    with zipfile.ZipFile(wheel) as packed:
        names = set(packed.namelist())
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        told = email.message_from_bytes(packed.read(metadata))
    package = ROOT / "plugins" / "cloudtrail_elasticsearch"
    files = {
        f"cloudtrail_elasticsearch/{file.relative_to(package)}" for file in package.rglob("*") if file.is_file()
    }
    wanted = {name for name in files if "__pycache__" not in name}
    assert {name for name in names if ".dist-info/" not in name} == wanted
    assert "cloudtrail_elasticsearch/py.typed" in names
    assert told["Version"] == cloudtrail_elasticsearch.__version__
    assert set(str(told["Requires-Python"]).split(",")) == {">=3.11", "<3.14"}
    changes = (ROOT / "CHANGELOG.md").read_text()
    assert f"## {cloudtrail_elasticsearch.__version__}" in changes or "## Unreleased" in changes


def test_requirements_equal_the_wheels_dependencies() -> None:
    """Except for Airflow and boto3."""
    import tomllib

    with (ROOT / "pyproject.toml").open("rb") as file:
        needed = set(tomllib.load(file)["project"]["dependencies"])
    lines = (ROOT / "docs" / "examples" / "requirements.txt").read_text().splitlines()
    asked = {line for line in lines if line and not line.startswith("#")}
    assert {each for each in needed if not each.startswith(("apache-airflow>", "boto3"))} == asked
