""".env.example leads to a .env that docker-compose.yaml takes, with fresh secrets."""

import re
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography.fernet import Fernet

from devstack.compose.reading import ROOT, load, required_variables

EXAMPLE = ROOT / ".env.example"


def make_env(folder: Path) -> Mapping[str, str]:
    """Run the command at the top of the page as a user would, and read what it made."""
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


def test_only_the_bucket_is_left_to_name(env: Mapping[str, str]) -> None:
    """After the command, the one required setting without a value is the bucket."""
    assert [name for name in required_variables() if not env.get(name)] == ["CLOUDTRAIL_STAGING_BUCKET"]


def test_compose_takes_the_result(env: Mapping[str, str]) -> None:
    """With the bucket named, every variable in the compose file has a value."""
    services = load({**env, "CLOUDTRAIL_STAGING_BUCKET": "a-bucket"})["services"]
    assert services["airflow-worker"]["environment"]["AIRFLOW_VAR_CLOUDTRAIL_STAGING_BUCKET"] == "a-bucket"


def test_secrets_are_fresh(env: Mapping[str, str], tmp_path: Path) -> None:
    """No two secrets are the same, within one .env or between two."""
    other_folder = tmp_path / "other"
    other_folder.mkdir()
    other = make_env(other_folder)
    secrets = [value for one in (env, other) for name, value in one.items() if name != "AWS_REGION" and value]
    assert len(secrets) == len(set(secrets))


def test_secrets_fit_their_use(env: Mapping[str, str]) -> None:
    """Fernet takes its key, the token key has 64 bytes, bcrypt and a URL can hold every password."""
    Fernet(env["AIRFLOW_FERNET_KEY"])
    assert len(env["AIRFLOW_JWT_SECRET"].encode()) >= 64
    assert len(env["DASHBOARDS_COOKIE_KEY"]) >= 32
    passwords = [value for name, value in env.items() if name.endswith("PASSWORD")]
    assert [password for password in passwords if not re.fullmatch(r"[a-z0-9]{32,72}", password)] == []


def test_nobody_else_can_read_it(env: Mapping[str, str], tmp_path: Path) -> None:
    """The command makes .env readable by its owner alone."""
    assert (tmp_path / ".env").stat().st_mode & 0o077 == 0


def test_the_example_holds_no_secret() -> None:
    """Of the settings without which Compose stops, the page itself gives no real value."""
    settings = dict(re.findall(r"^(\w+)=(.*)$", EXAMPLE.read_text(), flags=re.MULTILINE))
    assert {settings[name] for name in required_variables()} <= {"", "random", "fernet"}
