"""The options of the command line that enrich documents."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cloudtrail_elasticsearch.cli import main
from cloudtrail_elasticsearch.core.encoding import codec
from tests.core.ip_databases import CITIES, EXAMPLE_NET_FIELDS, NETWORKS, PARIS_FIELDS, write_database
from tests.core.test_enrichment import IN_PARIS


@pytest.fixture
def event(tmp_path: Path) -> str:
    file = tmp_path / "event.json"
    file.write_bytes(codec.encode(IN_PARIS))
    return str(file)


def normalize(capsys: pytest.CaptureFixture[str], *arguments: str) -> dict[str, Any]:
    assert main(["normalize", *arguments]) == 0
    document: dict[str, Any] = json.loads(capsys.readouterr().out)
    return document


def test_each_option_adds_its_fields(event: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Several databases can be named, and names come from the AWS command's output."""
    city = write_database(tmp_path / "city.mmdb", CITIES)
    asn = write_database(tmp_path / "asn.mmdb", NETWORKS, "GeoLite2-ASN")
    accounts = tmp_path / "accounts.json"
    accounts.write_text(json.dumps({"Accounts": [{"Id": "123456789012", "Name": "audit", "Status": "ACTIVE"}]}))
    found = normalize(capsys, "--ip-database", str(city), "--ip-database", str(asn), event)
    assert found["source"] == {"ip": "203.0.113.9", "as": EXAMPLE_NET_FIELDS, "geo": PARIS_FIELDS}
    assert "user_agent" not in found
    assert normalize(capsys, "--user-agents", event)["user_agent"]["name"] == "aws-cli"
    found = normalize(capsys, "--account-names", str(accounts), event)
    assert found["cloud"]["account"] == {"id": "123456789012", "name": "audit"}
    assert "geo" not in normalize(capsys, "--no-ecs", "--ip-database", str(city), event)["source"]


@pytest.mark.promise("closed")
@pytest.mark.parametrize(
    ("option", "content", "words"),
    [
        ("--ip-database", None, "The database {file} cannot be read: No such file or directory."),
        ("--ip-database", b"secret", "The database {file} is broken, or not in MaxMind's format (.mmdb)."),
        ("--account-names", None, "The file of accounts {file} cannot be read: No such file or directory."),
        (
            "--account-names",
            b'{"Accounts": [{"Id": "1", "Name": 5, "secret": 1}]}',
            "The file of accounts {file} is not the output of aws organizations list-accounts:",
        ),
    ],
)
def test_a_file_that_cannot_be_used_fails_first(
    event: str, tmp_path: Path, capsys: pytest.CaptureFixture[str], option: str, content: bytes | None, words: str
) -> None:
    """Before an event is read: one sentence names the file, and nothing is printed of its content."""
    file = tmp_path / "given"
    if content is not None:
        file.write_bytes(content)
    assert main(["normalize", option, str(file), event]) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("cloudtrail-elasticsearch: " + words.format(file=file))
    assert printed.err.count("\n") == 1
    assert "secret" not in printed.err
