"""Every request of a page gets one of our answers: never a crash, and never another page's data.

The app and the search server behind it are real.
"""

from __future__ import annotations

from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st

from cloudtrail_elasticsearch.ui.questions import FIRST_DAY, LAST_DAY
from tests.examples import examples

ROUTES = {
    "/api/coverage": ("first", "last", "account", "pattern", "source"),
    "/api/cells": ("day", "region", "account", "pattern", "source"),
    "/api/backfill": ("first", "last", "row", "state", "pattern", "source", "account"),
    "/api/quarantine": ("pattern",),
    "/api/quarantine/event": ("pattern", "id"),
}
NAMES = sorted({name for names in ROUTES.values() for name in names})
GOOD = {
    "first": "2026-11-01",
    "last": "2026-11-02",
    "day": "2026-11-01",
    "account": "123456789012",
    "pattern": "cloudtrail-%Y.%m",
    "region": "eu-west-1",
    "row": "eu-west-1",
    "state": "missing",
    "source": "trail",
    "id": "5f8d0d3e-4b0e-4c43-9f3b-3f1d5a0c9a01",
}
BAD = [
    "0001-01-01",
    "0001-04-01",
    "9999-12-31",
    "10000-01-01",
    "2026-02-29",
    "2024-02-29",
    "2026-1-1",
    "20261101",
    "2026-W48-1",
    "1767225600",
    "-1",
    "\uff12\uff10\uff12\uff16-11-01",
    "2026-11-01T00:00:00",
    "",
    " ",
    "*",
    "a*,-b",
    "_all",
    "../../_cluster/settings",
    "..%2f..%2f",
    "/etc/passwd",
    "a\x00b",
    "a\nb",
    "\x1b[31mred\x1b[0m",
    "\u202egnp.exe",
    "\ud7ff\U0010ffff",
    "<script>alert(1)</script>",
    '{"match_all": {}}',
    "%Y%H",
    "x" * 513,
    "é" * 300,
    "x" * 20_000,
]
UNDERSTOOD = {200, 400, 404, 422}
LONGEST_URL = 60_000
"""The test client refuses longer ones itself."""

values = st.sampled_from(BAD) | st.text(max_size=40) | st.dates().map(str)
pairs = st.lists(st.tuples(st.sampled_from(NAMES), values), max_size=6)
calm = settings(
    max_examples=examples(50), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


def asked(client: TestClient, route: str, query: str) -> Any:
    """Send a request, and check that the answer is one of ours: JSON, with a sentence if it is an error."""
    answer = client.get(f"{route}?{query}")
    assert answer.status_code in UNDERSTOOD, (route, query, answer.status_code)
    assert answer.headers["content-type"] == "application/json"
    content = answer.json()
    if answer.status_code != 200:
        assert content["detail"].isprintable()
        assert content["detail"].endswith(".")
        assert len(content["detail"]) < 1_000
    return answer


def encoded(given: list[tuple[str, str]]) -> str:
    return "&".join(f"{name}={quote(value, safe='')}" for name, value in given)


@pytest.mark.parametrize(("route", "name"), [(route, name) for route, names in ROUTES.items() for name in names])
def test_one_bad_value_among_good_ones_is_answered(client: TestClient, route: str, name: str) -> None:
    """In any parameter of any route."""
    for bad in BAD:
        asked(client, route, encoded(list((GOOD | {name: bad}).items())))


@pytest.mark.parametrize("route", ROUTES)
@calm
@given(given=pairs)
@example(given=[])
@example(given=[("first", "2026-11-02"), ("last", "2026-11-01"), ("region", "a"), ("state", "none")])
def test_any_parameters_are_answered(client: TestClient, route: str, given: list[tuple[str, str]]) -> None:
    """Missing, repeated, empty, in any order."""
    query = encoded(given)
    assume(len(query) < LONGEST_URL)
    asked(client, route, query)


@pytest.mark.parametrize("route", ROUTES)
@calm
@given(query=st.binary(max_size=60))
@example(query=b"\xff\xfe=\x80")
@example(query=b"&&==&;")
def test_any_query_string_is_answered(client: TestClient, route: str, query: bytes) -> None:
    """Also one that is not UTF-8."""
    asked(client, route, quote(query, safe="&=;+"))


@pytest.mark.parametrize("escapes", ["%ff%fe", "%c3%28", "%ed%a0%80", "%", "%zz", "%00"])
def test_invalid_escapes_are_answered(client: TestClient, escapes: str) -> None:
    """They are read as a text that matches nothing, or rejected."""
    for route, names in ROUTES.items():
        for name in names:
            rest = {other: value for other, value in GOOD.items() if other != name}
            asked(client, route, f"{encoded(list(rest.items()))}&{name}={escapes}")


@pytest.mark.parametrize(
    ("query", "status", "words"),
    [
        ("last=0001-01-01", 400, "choose a day from 2000-01-01 to 2099-12-31"),
        ("first=9999-12-31", 400, "choose a day from"),
        (f"first={FIRST_DAY}&last={FIRST_DAY}", 200, ""),
        (f"last={FIRST_DAY}", 200, ""),
        (f"first={LAST_DAY}&last={LAST_DAY}", 200, ""),
        ("first=2024-02-29&last=2024-02-29", 200, ""),
        ("last=2026-02-29", 422, "not a day like 2026-11-20"),
        ("last=10000-01-01", 422, "not a day like 2026-11-20"),
        ("first=2026-11-02&last=2026-11-01", 400, "choose 1 to 400 days"),
        ("first=2026-11-02&first=2026-11-01", 400, "give it once"),
        (f"pattern={'x' * 513}", 400, "512 at most"),
        ("account=1%1b[31m", 400, "without control characters"),
        ("source=athena", 400, "it must be lookup_events or lookup_insights or trail"),
    ],
)
def test_an_error_has_a_remedy(client: TestClient, query: str, status: int, words: str) -> None:
    """With the name of the parameter; also at the ends of the calendar."""
    answer = asked(client, "/api/coverage", query)
    assert answer.status_code == status
    assert words in answer.text


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"first": "2026-11-03"}, "choose 1 to 400 days"),
        ({"first": "2020-01-01"}, "choose 1 to 400 days"),
        ({"state": "done"}, "choose from complete, quiet"),
        ({"row": "eu-west-1 --force"}, "not a region"),
        ({"row": "eu-west-1,*"}, "not a region"),
        ({"account": "one"}, "not an account of 12 digits"),
        ({"account": "*", "row": "123456789012,eu-west-1"}, "not an account of 12 digits"),
        ({"pattern": "../x"}, "index pattern"),
        ({"pattern": "cloudtrail-*"}, "index pattern"),
    ],
)
def test_a_backfill_that_airflow_cannot_create_is_rejected(
    client: TestClient, change: dict[str, str], words: str
) -> None:
    """No part of it becomes a command or a request."""
    answer = asked(client, "/api/backfill", encoded(list((GOOD | change).items())))
    assert answer.status_code == 400
    assert words in answer.json()["detail"]


def test_a_backfill_of_too_many_rows_is_rejected(client: TestClient) -> None:
    """A query of any length is answered."""
    query = encoded([*GOOD.items(), ("row", ",".join("a" * 10_001))])
    assert asked(client, "/api/backfill", query).status_code == 400


@pytest.mark.promise("closed")
@pytest.mark.parametrize(
    "name",
    [
        "..%2fapp.py",
        "%2e%2e",
        "x" * 5_000 + ".js",
        "coverage.js%00",
        "%00.js",
        "%ff.js",
        "static",
        "x/coverage.js",
    ],
)
def test_only_the_pages_own_files_are_served(client: TestClient, name: str) -> None:
    """Whatever the name means to a file system."""
    assert client.get(f"/static/{name}").status_code == 404
