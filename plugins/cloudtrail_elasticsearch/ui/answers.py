"""The content of each page's answer, as bytes; the same for FastAPI (Airflow 3) and Flask (Airflow 2)."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any, Final

import msgspec

from cloudtrail_elasticsearch import airflows
from cloudtrail_elasticsearch.core.coverage.account_names import read_account_names
from cloudtrail_elasticsearch.core.coverage.cells import State
from cloudtrail_elasticsearch.core.coverage.source import Source, label_figures
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.errors import LoaderError, TransientError
from cloudtrail_elasticsearch.core.index.index_pattern import COVERAGE_INDEX
from cloudtrail_elasticsearch.core.search.server import SearchServer
from cloudtrail_elasticsearch.ui import addresses, coverage_table, live, quarantine_report
from cloudtrail_elasticsearch.ui.backfills import DAG_ID, DAG_IDS, Backfill, Replay, make_replay_command
from cloudtrail_elasticsearch.ui.boxes import Box
from cloudtrail_elasticsearch.ui.chosen_cells import Selection, find_chosen_cells
from cloudtrail_elasticsearch.ui.questions import AskedError, Question
from cloudtrail_elasticsearch.ui.reading import read_index
from cloudtrail_elasticsearch.ui.server import DASHBOARDS, find_dashboards
from cloudtrail_elasticsearch.ui.tables import COLUMNS, Tables

STATIC: Final = Path(__file__).parent / "static"
DAYS: Final = 90
FIRST_DAYS: Final = 7
NEVER_PLANNED: Final = "none"
MOST_COMMANDS: Final = 20
"""The most backfills that one choice of cells is divided into; further ones are counted."""

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
    """Return the cells of a range of days, in columns, and the live squares of its last days.

    Without a range, it is the last 90 days that have ended; with live runs, it ends with today.

    :raises AskedError: a parameter is wrong, or the range is empty or too long
    """
    now = datetime.now(UTC)
    account, pattern = asked.optional_text("account"), asked.optional_text("pattern")
    source = asked.optional_source("source")
    _read_days(asked, now.date())  # before any request to the server
    ledger, followed = tables.summarize(server), live.summarize_watermarks(server)
    accounts = live.join_names(ledger.accounts, followed.accounts)
    patterns = live.join_names(ledger.patterns, followed.checked_at)
    account = account or coverage_table.choose_default_account(accounts)
    pattern = pattern or coverage_table.choose_default_pattern(patterns)
    # Only live runs load a day that is not over.
    latest = now.date() - timedelta(days=0 if pattern in followed.checked_at else 1)
    first, last = _read_days(asked, latest)
    choice = coverage_table.Choice(first, last, account, pattern, source)
    return codec.encode(
        {
            **msgspec.to_builtins(choice),
            "latest": latest,
            "live": live.describe_live(server, choice, followed, now),
            "accounts": accounts,
            "account_names": read_account_names(read_index(server, COVERAGE_INDEX)),
            "patterns": patterns,
            "sources": [each for each in Source if each in (*ledger.sources, *followed.sources)],
            "rows": choice.row_field,
            "table": tables.get(server, choice, ledger),
            "columns": COLUMNS,
            "states": coverage_table.STATES,
            "labels": {source.value: _label_table(source) for source in Source},
            "may_backfill": may_backfill,
            "dag_id": DAG_ID,
            "first_command": None if accounts else _make_first_command(),
        }
    )


def _label_table(source: Source) -> dict[str, str]:
    """Return the labels of the table's figures for cells of a source."""
    labels = label_figures(source)
    return {name: labels[name] for name in coverage_table.FIGURES}


def cells(asked: Question, server: SearchServer) -> bytes:
    """Return the ledger's full records of one day and region, with links to the task and the documents.

    For a day that live runs load, it also returns the watermarks of the region.

    :raises AskedError: a parameter is missing or wrong
    """
    day, region, account, pattern = asked.day("day"), *map(asked.text, ("region", "account", "pattern"))
    base = find_dashboards()
    choice = coverage_table.Choice(day, day, account, pattern, asked.optional_source("source"))
    found = coverage_table.read_cells(server, choice, region)
    for cell in found:
        cell.setdefault("source", Source.LOOKUP_EVENTS)  # cells of version 0.1
        cell["task"] = _find_task_page(cell)
        cell["documents"] = base and addresses.discover(
            base, server.engine, [account], [region], *_read_times(cell)
        )
    now = datetime.now(UTC)
    is_live = day in live.list_live_days(now.date())
    start = datetime.combine(day, time(), UTC)
    return codec.encode(
        {
            "cells": found,
            "now": live.to_milliseconds(now),
            "today": now.date(),
            "day": day,
            "watermarks": live.read_places(server, choice, region) if is_live else [],
            "documents": base
            and addresses.discover(base, server.engine, [account], [region], start, start + timedelta(days=1)),
            "labels": {source.value: dict(label_figures(source)) for source in Source},
            "dashboards_variable": None if base else DASHBOARDS,
        }
    )


def backfill(asked: Question, server: SearchServer) -> bytes:
    """Return the backfills that load exactly the chosen cells: shell commands, and requests to Airflow's API.

    :raises AskedError: a parameter is missing or wrong, or too many cells are chosen
    """
    selection = _read_selection(asked)
    choice = selection.choice
    chosen = find_chosen_cells(server, selection)
    source = choice.source or Source.LOOKUP_EVENTS

    def describe(box: Box) -> dict[str, Any]:
        reprocess = chosen.choose_reprocess(box)
        made = Backfill(source, box.first, box.last, box.accounts, box.regions, choice.pattern, reprocess)
        return {"command": made.command, "request": made.request}

    joint = chosen.joint
    return codec.encode(
        {
            "backfills": [describe(box) for box in chosen.boxes[:MOST_COMMANDS]],
            "further": max(0, len(chosen.boxes) - MOST_COMMANDS),
            "cells": chosen.cells,
            "joint": joint and {**describe(joint), "cells": joint.cells},
            "dag_id": DAG_IDS[source],
        }
    )


def _read_selection(asked: Question) -> Selection:
    first, last = asked.day("first"), asked.day("last")
    _check_days(first, last)
    account = asked.text("account")
    # Only ids and names that the DAG accepts may become a part of a command.
    if account == coverage_table.ALL_ACCOUNTS:
        rows = asked.accounts("row")
    else:
        asked.accounts("account")
        rows = asked.regions("row")
    states = asked.texts("state") if "state" in asked.values else ()
    wanted = frozenset(None if name == NEVER_PLANNED else _read_state(name) for name in states)
    source = asked.optional_source("source") or Source.LOOKUP_EVENTS
    choice = coverage_table.Choice(first, last, account, asked.pattern("pattern"), source)
    return Selection(choice, rows, wanted)


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
    return Replay(found.source, pattern, found.days, found.regions, found.accounts)


def _make_first_command() -> str:
    """Return the command that loads the last week, for a ledger that is still empty."""
    last = datetime.now(UTC).date() - timedelta(days=1)
    first = last - timedelta(days=FIRST_DAYS - 1)
    return airflows.backfill_command(DAG_ID, first.isoformat(), last.isoformat(), "none", {})


def _read_days(asked: Question, latest: date) -> tuple[date, date]:
    """Return the range of days: from `first` to `last`, or as many `days` up to `last`, or to the latest day."""
    last = asked.optional_day("last") or latest
    days = asked.optional_number("days")
    first = asked.optional_day("first") or last - timedelta(days=(DAYS if days is None else days) - 1)
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
