"""``make demo``: three past days of all regions through a real Airflow backfill into a real search server.

Everything lives in ``.demo`` below the checkout, so that a second run finds what the first one did.
"""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import time
import urllib.request
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from cloudtrail_elasticsearch.core.mapping import COVERAGE_INDEX
from devstack.airflow import Airflow, AirflowSettings, BusyError
from devstack.airflow_api import AirflowError
from devstack.days import last_settled_day
from devstack.processes import ROOT, ServiceError
from devstack.search_server import DownloadError
from devstack.stack import Stack, StackSettings

DAG_ID = "cloudtrail_to_elasticsearch"
DAYS = 3
BUCKET = "cloudtrail-staging"
HOME = ROOT / ".demo"
LIMIT_SECONDS = 1800

_FIGURES = ("cells", "looked_up", "staged", "indexed", "duplicates", "quarantined")


class DemoError(Exception):
    """The demo did not end as it should; the message says where to look."""


@dataclass(frozen=True, slots=True)
class Day:
    """One day's run and what its coverage says; no totals where coverage did not pass."""

    day: str
    state: str
    totals: dict[str, int] | None


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo and return its exit status."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="end by itself once everything is loaded")
    once: bool = parser.parse_args(argv).once
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return _run(once=once)
    except (DemoError, AirflowError, ServiceError, DownloadError) as error:
        _say(f"The demo failed: {error}")
        return 1
    except KeyboardInterrupt:
        _say("\nEnded.")
        return 0 if not once else 130


def _run(*, once: bool) -> int:
    began = time.monotonic()
    _say("Starting OpenSearch, S3, the CloudTrail simulator and Airflow …")
    last = last_settled_day()
    first = last - timedelta(days=DAYS - 1)
    planned = ThreadPoolExecutor().submit(_plan, first, last)
    with Stack(StackSettings(HOME / "stack")) as stack:
        stack.create_bucket(BUCKET)
        environment = stack.environment() | {"AIRFLOW_VAR_CLOUDTRAIL_STAGING_BUCKET": BUCKET}
        is_planned = planned.result()
        with Airflow(AirflowSettings(HOME / "airflow", environment)) as airflow:
            _say(f"Airflow's UI: {airflow.url}  (user admin, password {airflow.password})")
            if not is_planned:
                _plan_after_the_last(airflow, first, last)
            before = _effort(stack)
            days = _follow(airflow, stack, first, last)
            _tell(days)
            calls, documents = (after - earlier for after, earlier in zip(_effort(stack), before, strict=True))
            _say(f"LookupEvents calls: {calls}; documents written: {documents}.")
            if calls == documents == 0:
                _say("Everything was loaded already: nothing was looked up or loaded a second time.")
            proven = all(day.state == "success" and day.totals for day in days)
            _say(
                f"{'Proven complete' if proven else 'NOT proven complete'} after {time.monotonic() - began:.0f} s."
            )
            _say(f"Try:  curl '{stack.search_url}/cloudtrail-*/_search?q=eventName:ConsoleLogin&size=1&pretty'")
            if once:
                return 0 if proven else 1
            _say("Ctrl-C ends it.")
            signal.pause()
    return 0


def _plan(first: date, last: date) -> bool:
    """Create the backfill, while the services are still starting; False where the last one is not over yet."""
    airflow = Airflow(AirflowSettings(HOME / "airflow", {}))
    airflow.prepare()
    try:
        _backfill(airflow, first, last)
    except BusyError:
        return False
    return True


def _plan_after_the_last(airflow: Airflow, first: date, last: date) -> None:
    """Let the last backfill end, which a demo that was killed has left, and create a new one."""
    _say("Waiting for Airflow to end the last backfill …")
    deadline = time.monotonic() + LIMIT_SECONDS
    while True:
        try:
            return _backfill(airflow, first, last)
        except BusyError as error:
            if time.monotonic() > deadline:
                raise DemoError(str(error)) from error
            time.sleep(3)


def _backfill(airflow: Airflow, first: date, last: date) -> None:
    """Create a backfill of the days; those that were loaded are run again."""
    options = ["--max-active-runs", str(DAYS), "--reprocess-behavior", "completed"]
    airflow.backfill(DAG_ID, str(first), str(last), *options)


def _follow(airflow: Airflow, stack: Stack, first: date, last: date) -> list[Day]:
    """Tell how the backfill goes on until every run has ended, and what came of each day."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while True:
        runs = _runs(airflow, first, last)
        if len(runs) >= DAYS and all(run["state"] in {"success", "failed"} for run in runs):
            return [_day(airflow, run) for run in sorted(runs, key=lambda run: str(run["logical_date"]))]
        if time.monotonic() > deadline:
            raise DemoError(f"the backfill did not end within {LIMIT_SECONDS} s; see {airflow.url}")
        _progress(airflow, stack, runs)
        time.sleep(3)


def _runs(airflow: Airflow, first: date, last: date) -> list[dict[str, Any]]:
    """The runs of these days, whoever asked for them."""
    return [
        run
        for run in airflow.runs(DAG_ID)
        if run["logical_date"] and str(first) <= run["logical_date"][:10] <= str(last)
    ]


def _progress(airflow: Airflow, stack: Stack, runs: Sequence[dict[str, Any]]) -> None:
    """Tell how many days have ended, what the simulator was asked and what the search server was sent."""
    ended = sum(run["state"] in {"success", "failed"} for run in runs)
    loaded = airflow.request(
        "GET", f"/dags/{DAG_ID}/dagRuns/~/taskInstances?task_id=cell.load&state=success&limit=1"
    )
    calls, documents = _effort(stack)
    _say(
        f"  {datetime.now(UTC):%H:%M:%S}  {ended} of {DAYS} days, {loaded['total_entries']} cells loaded, "
        f"{calls} LookupEvents calls, {documents:,} documents written",
        replaces=True,
    )


def _day(airflow: Airflow, run: dict[str, Any]) -> Day:
    totals = None
    if run["state"] == "success":
        path = f"/dags/{DAG_ID}/dagRuns/{run['dag_run_id']}/taskInstances/coverage/xcomEntries/return_value"
        value = airflow.request("GET", path.replace("+", "%2B"))["value"]
        totals = json.loads(value) if isinstance(value, str) else value
    return Day(run["logical_date"][:10], run["state"], totals)


def _tell(days: Sequence[Day]) -> None:
    names = [name.replace("_", " ") for name in _FIGURES]
    _say("\n" + f"{'day':<12}" + "".join(f"{name:>13}" for name in names))
    sums = dict.fromkeys(_FIGURES, 0)
    for day in days:
        if day.totals is None:
            _say(f"{day.day:<12}  {day.state}: see the run's coverage task")
            continue
        for name in _FIGURES:
            sums[name] += day.totals[name]
        _say(f"{day.day:<12}" + "".join(f"{day.totals[name]:>13,}" for name in _FIGURES))
    _say(f"{'all':<12}" + "".join(f"{sums[name]:>13,}" for name in _FIGURES) + "\n")


def _effort(stack: Stack) -> tuple[int, int]:
    """LookupEvents calls made and events written so far, as the services count them; the ledger has no events."""
    indices = f"*,-{COVERAGE_INDEX}*"
    with urllib.request.urlopen(f"{stack.search_url}/{indices}/_stats/indexing", timeout=30) as answer:
        written = json.load(answer)["_all"]["primaries"].get("indexing", {}).get("index_total", 0)
    return stack.lookup_calls(), int(written)


def _say(text: str, *, replaces: bool = False) -> None:
    """Print a line; a progress line replaces the one before it where there is a terminal."""
    terminal = sys.stdout.isatty()
    end = "\r" if replaces and terminal else "\n"
    width = os.get_terminal_size().columns - 1 if terminal else 0
    print(text.ljust(width) if replaces else text, end=end, flush=True)


if __name__ == "__main__":
    sys.exit(main())
