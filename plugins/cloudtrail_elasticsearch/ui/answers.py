"""The content of each page's answer, as bytes; the same for FastAPI (Airflow 3) and Flask (Airflow 2)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec
import orjson

from cloudtrail_elasticsearch import airflows
from cloudtrail_elasticsearch.core.coverage.cells import State
from cloudtrail_elasticsearch.core.coverage.source import Source, label_figures
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.errors import LoaderError, TransientError
from cloudtrail_elasticsearch.core.search.server import SearchServer
from cloudtrail_elasticsearch.ui import addresses, coverage_table, quarantine_report
from cloudtrail_elasticsearch.ui.backfills import Backfill, Replay, choose_reprocess, make_replay_command
from cloudtrail_elasticsearch.ui.questions import AskedError, Question
from cloudtrail_elasticsearch.ui.server import DASHBOARDS, find_dashboards
from cloudtrail_elasticsearch.ui.tables import Tables

DAG_ID: Final = "cloudtrail_to_elasticsearch"
"""Users who may read this DAG may see the pages; users who may trigger it may start backfills and replays."""

DAG_IDS: Final = {Source.LOOKUP_EVENTS: DAG_ID, Source.TRAIL: "cloudtrail_trail_to_elasticsearch"}
"""The DAG that loads the cells of each source."""

STATIC: Final = Path(__file__).parent / "static"
DAYS: Final = 90
FIRST_DAYS: Final = 7
NEVER_PLANNED: Final = "none"
JSON: Final = "application/json"

_OF_A_TASK: Final = ("dag_id", "run_id", "task_id", "map_index")

TYPES: Final = {".html": "text/html", ".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
HEADERS: Final = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'self'"
    ),
    "x-content-type-options": "nosniff",
    "referrer-policy": "same-origin",
    "cache-control": "no-store",
}
"""The headers of every answer."""


def read_static_file(name: str) -> tuple[bytes, str]:
    """Return a static file of the pages, and its media type.

    :raises AskedError: no file has this name (404)
    """
    # The name is only compared, so that no name leads out of the folder.
    file = next((file for file in STATIC.iterdir() if file.name == name and file.suffix in TYPES), None)
    if file is None:
        raise AskedError(404, "This page does not exist.")
    return file.read_bytes(), TYPES[file.suffix]


def coverage(asked: Question, server: SearchServer, tables: Tables, *, may_backfill: bool) -> bytes:
    """Return the cells of a range of days, in columns; without a range, of the last 90 days that have ended.

    :raises AskedError: a parameter is wrong, or the range is empty or too long
    """
    first, last = _read_days(asked)
    account, pattern = asked.optional_text("account"), asked.optional_text("pattern")
    source = asked.optional_source("source")
    ledger = coverage_table.summarize_ledger(server)
    account = account or coverage_table.choose_default_account(ledger.accounts)
    pattern = pattern or coverage_table.choose_default_pattern(ledger.patterns)
    choice = coverage_table.Choice(first, last, account, pattern, source)
    return codec.encode(
        {
            **msgspec.to_builtins(choice),
            "accounts": ledger.accounts,
            "patterns": ledger.patterns,
            "sources": ledger.sources,
            "rows": choice.row_field,
            # Cached as JSON. orjson's fault (see `codec`) does not occur: few brackets follow.
            "table": orjson.Fragment(tables.get(server, choice, ledger.version)),
            "states": coverage_table.STATES,
            "labels": {source.value: _label_table(source) for source in Source},
            "may_backfill": may_backfill,
            "dag_id": DAG_ID,
            "first_command": None if ledger.accounts else _make_first_command(),
        }
    )


def _label_table(source: Source) -> dict[str, str]:
    """Return the labels of the table's figures for cells of a source."""
    labels = label_figures(source)
    return {name: labels[name] for name in coverage_table.FIGURES}


def cells(asked: Question, server: SearchServer) -> bytes:
    """Return the ledger's full records of one day and region, with links to the task and the documents.

    :raises AskedError: a parameter is missing or wrong
    """
    day, region, account, pattern = asked.day("day"), *map(asked.text, ("region", "account", "pattern"))
    base = find_dashboards()
    choice = coverage_table.Choice(day, day, account, pattern, asked.optional_source("source"))
    found = coverage_table.read_cells(server, choice, region)
    for cell in found:
        cell.setdefault("source", Source.LOOKUP_EVENTS)  # cells of version 0.1
        cell["task"] = _find_task_page(cell)
        cell["documents"] = base and addresses.discover(base, server.engine, account, region, *_read_times(cell))
    return codec.encode(
        {
            "cells": found,
            "labels": {source.value: dict(label_figures(source)) for source in Source},
            "dashboards_variable": None if base else DASHBOARDS,
        }
    )


def backfill(asked: Question) -> bytes:
    """Return the backfill of the chosen cells: the shell command, and the request to Airflow's API.

    :raises AskedError: a parameter is missing or wrong
    """
    first, last = asked.day("first"), asked.day("last")
    _check_days(first, last)
    states = [None if name == NEVER_PLANNED else _read_state(name) for name in asked.texts("state")]
    regions, pattern = asked.regions("region"), asked.pattern("pattern")
    source = asked.optional_source("source") or Source.LOOKUP_EVENTS
    accounts = asked.accounts("account") if source is Source.TRAIL else ()
    chosen = Backfill(DAG_IDS[source], first, last, regions, pattern, choose_reprocess(states), accounts)
    return codec.encode({"command": chosen.command, "request": chosen.request, "dag_id": chosen.dag_id})


def quarantine(asked: Question, server: SearchServer, *, may_trigger: bool) -> bytes:
    """Return the quarantined events grouped by cause, each with a remedy, and the replays of all of them.

    :raises AskedError: the pattern is repeated, too long or not printable
    """
    pattern = asked.optional_text("pattern")
    counts = quarantine_report.count_entries(server)
    chosen = pattern or coverage_table.choose_default_pattern(list(counts))
    groups = [
        msgspec.to_builtins(group) | {"remedy": group.remedy, "rule": group.rule}
        for group in quarantine_report.group_entries(server, chosen)
    ]
    replays = [
        {
            "source": found.source,
            "request": _make_replay(chosen, found).request,
            "run_page": airflows.run_page(DAG_IDS[found.source]),
        }
        for found in coverage_table.read_quarantined_days(server, chosen)
    ]
    return codec.encode(
        {
            "pattern": chosen,
            "patterns": counts,
            "groups": groups,
            "looked_at": sum(group["events"] for group in groups),
            "command": make_replay_command(server.name, chosen),
            "replays": replays,
            "may_trigger": may_trigger,
        }
    )


def quarantined_event(asked: Question, server: SearchServer) -> bytes:
    """Return one quarantined event in full.

    :raises AskedError: the event is no longer in quarantine (404), or a parameter is missing or wrong
    """
    found = quarantine_report.read_entry(server, asked.text("pattern"), asked.text("id"))
    if found is None:
        raise AskedError(404, "This event is no longer in quarantine.")
    return codec.encode(found)


def encode_error(error: Exception) -> tuple[bytes, int]:
    """Return an error as JSON, with its HTTP status: 503 if a retry may help, 502 if it cannot."""
    if isinstance(error, AskedError):
        status = error.status
    else:
        assert isinstance(error, LoaderError)  # noqa: S101 - nothing else is handled
        # The pages suggest another try after 503.
        status = 503 if isinstance(error, TransientError) else 502
    return codec.encode({"detail": str(error)}), status


def _make_replay(pattern: str, found: coverage_table.QuarantinedDays) -> Replay:
    accounts = tuple(found.accounts) if found.source is Source.TRAIL else ()
    return Replay(DAG_IDS[found.source], pattern, found.days, found.regions, accounts)


def _make_first_command() -> str:
    """Return the command that loads the last week, for a ledger that is still empty."""
    last = datetime.now(UTC).date() - timedelta(days=1)
    first = last - timedelta(days=FIRST_DAYS - 1)
    return airflows.backfill_command(DAG_ID, first.isoformat(), last.isoformat(), "none", {})


def _read_days(asked: Question) -> tuple[date, date]:
    # Today is not over, so it cannot be complete.
    last = asked.optional_day("last") or datetime.now(UTC).date() - timedelta(days=1)
    first = asked.optional_day("first") or last - timedelta(days=DAYS - 1)
    _check_days(first, last)
    return first, last


def _check_days(first: date, last: date) -> None:
    if not 0 <= (last - first).days < coverage_table.MOST_DAYS:
        most = coverage_table.MOST_DAYS
        raise AskedError(400, f"{first} to {last} is invalid: choose 1 to {most} days, the earlier day first.")


def _read_state(name: str) -> State:
    try:
        return State(name)
    except ValueError as error:
        raise AskedError(400, f"state is {name!r}: choose from {', '.join(State)} and {NEVER_PLANNED}.") from error


def _find_task_page(cell: dict[str, Any]) -> str | None:
    """Return the path of the task's page in Airflow; None if the ledger has no task for the cell."""
    run = cell.get("run")
    return airflows.task_page(**{name: run[name] for name in _OF_A_TASK}) if run else None


def _read_times(cell: dict[str, Any]) -> tuple[datetime, datetime]:
    """Return the times between which a cell's events happened, for a link to its documents."""
    # A trail's window has the times of delivery, and its log files can hold older events.
    if cell["source"] == Source.TRAIL and cell.get("first_event") and cell.get("last_event"):
        first, last = datetime.fromisoformat(cell["first_event"]), datetime.fromisoformat(cell["last_event"])
        return first, last + timedelta(seconds=1)
    return datetime.fromisoformat(cell["start"]), datetime.fromisoformat(cell["end"])
