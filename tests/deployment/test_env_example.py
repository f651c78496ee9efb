""".env.example gives a .env with fresh secrets that docker-compose.yaml accepts."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from devstack.compose.reading import ROOT, load, required_variables

EXAMPLE = ROOT / ".env.example"


def make_env(folder: Path) -> Mapping[str, str]:
    """Run the command at the top of the page like a user, and return the result."""
    text = EXAMPLE.read_text()
    command = re.search(r"^#   (\(umask .*)$", text, flags=re.MULTILINE)
    assert command is not None
    (folder / ".env.example").write_text(text)
    subprocess.run(["bash", "-euc", command[1]], cwd=folder, check=True)
    lines = (folder / ".env").read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if line and not line.startswith("#"))


@pytest.fixture
def env(tmp_path: Path) -> Mapping[str, str]:
    return make_env(tmp_path)


def test_only_the_bucket_has_to_be_set(env: Mapping[str, str]) -> None:
    """After the command, it is the only required setting without a value."""
    assert [name for name in required_variables() if not env.get(name)] == ["CLOUDTRAIL_STAGING_BUCKET"]


def test_compose_accepts_the_result(env: Mapping[str, str]) -> None:
    """When the bucket is set, every variable in the compose file has a value."""
    services = load({**env, "CLOUDTRAIL_STAGING_BUCKET": "a-bucket"})["services"]
    assert services["airflow-worker"]["environment"]["AIRFLOW_VAR_CLOUDTRAIL_STAGING_BUCKET"] == "a-bucket"


def test_secrets_are_fresh(env: Mapping[str, str], tmp_path: Path) -> None:
    """No two secrets are equal, within one .env or between two."""
    other_folder = tmp_path / "other"
    other_folder.mkdir()
    other = make_env(other_folder)
    secrets = [value for one in (env, other) for name, value in one.items() if name != "AWS_REGION" and value]
    assert len(secrets) == len(set(secrets))


def test_secrets_fit_their_use(env: Mapping[str, str]) -> None:
    """Fernet accepts its key, the token key has 64 bytes, and bcrypt and a URL accept every password."""
    Fernet(env["AIRFLOW_FERNET_KEY"])
    assert len(env["AIRFLOW_JWT_SECRET"].encode()) >= 64
    assert len(env["DASHBOARDS_COOKIE_KEY"]) >= 32
    passwords = [value for name, value in env.items() if name.endswith("PASSWORD")]
    assert [password for password in passwords if not re.fullmatch(r"[a-z0-9]{32,72}", password)] == []


def test_only_the_owner_can_read_the_file(env: Mapping[str, str], tmp_path: Path) -> None:
    """The command creates .env with these permissions."""
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0


def test_the_example_contains_no_secret() -> None:
    """The page itself has no real value for a required setting."""
    settings = dict(re.findall(r"^(\w+)=(.*)$", EXAMPLE.read_text(), flags=re.MULTILINE))
    assert {settings[name] for name in required_variables()} <= {"", "random", "fernet"}
