"""Backfills of selected cells, and links to their documents, as plain values."""

from __future__ import annotations

import json
import shlex
import subprocess
from dataclasses import replace
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import unquote

import pytest

from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.index.index_pattern import DEFAULT_INDEX
from cloudtrail_elasticsearch.ui.addresses import discover, rison
from cloudtrail_elasticsearch.ui.backfills import Backfill, Replay

CHOSEN = Backfill(
    Source.LOOKUP_EVENTS,
    date(2026, 11, 1),
    date(2026, 11, 7),
    ("210987654321", "123456789012"),
    ("us-east-1", "eu-west-1"),
    "mine-%Y",
    "failed",
)
_REQUEST = CHOSEN.request
assert _REQUEST is not None
_BODY = _REQUEST["body"]


def test_airflow_accepts_the_command() -> None:
    """With its own parser, after a shell has read it. It is equal to the request to its API."""
    from airflow.cli.cli_parser import get_parser

    program, *arguments = shlex.split(CHOSEN.command)
    parsed = get_parser().parse_args(arguments)
    assert program == "airflow"
    assert (parsed.dag_id, str(parsed.reprocess_behavior)) == (_BODY["dag_id"], "failed")
    assert json.loads(parsed.dag_run_conf) == _BODY["dag_run_conf"] == CHOSEN.conf
    assert (str(parsed.from_date.date()), str(parsed.to_date.date())) == ("2026-11-01", "2026-11-07")


def test_airflow_accepts_the_request() -> None:
    """With its own model."""
    from airflow.api_fastapi.core_api.datamodels.backfills import BackfillPostBody

    body = BackfillPostBody(**_BODY)
    assert (body.from_date.date(), body.to_date.date()) == (CHOSEN.first, CHOSEN.last)


@pytest.mark.parametrize(("pattern", "conf"), [(DEFAULT_INDEX, {}), ("mine-%Y", {"index": "mine-%Y"})])
def test_an_index_is_named_unless_it_is_the_default(pattern: str, conf: dict[str, Any]) -> None:
    """The command has no conf for the DAG's own default."""
    made = Backfill(Source.TRAIL, date(2026, 11, 1), date(2026, 11, 1), ("1",), ("us-east-1",), pattern, "none")
    assert made.conf == {"accounts": ["1"], "regions": ["us-east-1"], **conf}


def test_insights_cells_are_loaded_by_their_category() -> None:
    """By the DAG of LookupEvents, in backfills and replays."""
    made = replace(CHOSEN, source=Source.LOOKUP_INSIGHTS)
    assert (made.conf["categories"], "categories" in CHOSEN.conf) == (["insight"], False)
    assert "cloudtrail_to_elasticsearch" in made.command
    body = Replay(Source.LOOKUP_INSIGHTS, "i", ["2026-11-01"], ["eu-west-1"], ["1"]).request["body"]["conf"]
    assert (body["accounts"], body["categories"], body["replay"]) == (["1"], ["insight"], True)


def test_every_region_is_named_by_none() -> None:
    """The runs then load the regions that the DAG loads."""
    made = Backfill(Source.TRAIL, date(2026, 11, 1), date(2026, 11, 1), ("2", "1"), (), DEFAULT_INDEX, "none")
    assert made.conf == {"accounts": ["1", "2"]}


def test_a_shell_accepts_the_command_for_an_organization() -> None:
    """Of 5,000 accounts and 34 regions: Linux accepts an argument of up to 128 KiB."""
    accounts = tuple(f"{number:012d}" for number in range(5_000))
    regions = tuple(f"ap-southeast-{number}" for number in range(34))
    made = Backfill(Source.TRAIL, date(2026, 11, 1), date(2026, 11, 1), accounts, regions, "mine-%Y", "none")
    assert max(len(each) for each in shlex.split(made.command)) < 128 * 1024
    subprocess.run(["sh", "-c", made.command.replace("airflow", "true", 1)], check=True)


def test_plain_values_are_written_as_rison() -> None:
    """Quotes and exclamation marks are escaped with an exclamation mark."""
    assert rison({"a": [1, True, None, "it's!"], "b": "plain"}) == "(a:!(1,!t,!n,'it!'s!!'),b:plain)"


@pytest.mark.parametrize(
    ("engine", "path"), [("opensearch", "/app/data-explorer/discover#?"), ("elasticsearch", "/app/discover#/?")]
)
def test_a_cells_documents_are_found_by_time_and_region(engine: Any, path: str) -> None:
    """In the server's own product."""
    times = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 11, 2, tzinfo=UTC)
    url = discover("https://search.example.com/", engine, ["123456789012"], ["eu-west-1"], *times)
    assert url.startswith(f"https://search.example.com{path}_g=(time:(from:'2026-11-01T00:00:00.000Z',to:")
    assert "awsRegion:%22eu-west-1%22" in url
    for name in ("recipientAccountId", "accountId"):  # aggregated events have the second one
        assert f"{name}:%22123456789012%22" in url
    assert "cloudtrail-events" in url
    many = unquote(discover("https://x/", engine, ["2", "1"], ["b", "a"], *times))
    assert '(awsRegion:"a" OR awsRegion:"b") AND (recipientAccountId:"1" OR accountId:"1" OR ' in many
