"""``make demo``: loads both sources with real Airflow backfills into a real search server.

It loads three past days of all regions with LookupEvents, and one day of a small organization's trail.

Everything is stored in ``.demo`` below the checkout, so a second run finds the results of the first one.
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

from cloudtrail_elasticsearch.core.coverage.findings import ProofStatus
from cloudtrail_elasticsearch.core.index.index_pattern import COVERAGE_INDEX
from devstack.airflow import Airflow, AirflowSettings, BusyError
from devstack.airflow_api import AirflowError
from devstack.backfills import close_backfills, replace_backfill
from devstack.days import last_settled_day
from devstack.demo_trail import TRAIL, deliver_trail, find_trail_day
from devstack.processes import ROOT, ServiceError
from devstack.search_server import DownloadError
from devstack.stack import Stack, StackSettings

DAYS = 3
BUCKET = "cloudtrail-staging"
HOME = ROOT / ".demo"
LIMIT_SECONDS = 1800

_FIGURES = ("cells", "looked_up", "staged", "indexed", "duplicates", "quarantined")


class DemoError(Exception):
    """The demo failed; the message names the place to look at."""


@dataclass(frozen=True, slots=True)
class Job:
    """The days that one source's DAG loads, both included."""

    source: str
    dag_id: str
    first: date
    last: date

    @property
    def days(self) -> int:
        """The number of days."""
        return (self.last - self.first).days + 1


@dataclass(frozen=True, slots=True)
class Day:
    """One day's run with its totals; no totals if its coverage task failed."""

    day: str
    source: str
    state: str
    totals: dict[str, int] | None


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demo and return its exit status."""
    parser = argparse.ArgumentParser(prog="make demo", description=__doc__)
    parser.add_argument("--once", action="store_true", help="stop when everything is loaded")
    once: bool = parser.parse_args(argv).once
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return _run(once=once)
    except (DemoError, AirflowError, ServiceError, DownloadError) as error:
        _say(f"The demo failed: {error}")
        return 1
    except KeyboardInterrupt:
        _say("\nStopped.")
        return 0 if not once else 130


def _run(*, once: bool) -> int:
    began = time.monotonic()
    _say("Starting OpenSearch, S3, the CloudTrail simulator and Airflow …")
    last = last_settled_day()
    day = find_trail_day()
    jobs = [
        Job("LookupEvents", "cloudtrail_to_elasticsearch", last - timedelta(days=DAYS - 1), last),
        Job("trail", "cloudtrail_trail_to_elasticsearch", day, day),
    ]
    planned = ThreadPoolExecutor().submit(_plan, jobs)
    with Stack(StackSettings(HOME / "stack")) as stack:
        stack.create_bucket(BUCKET)
        deliver_trail(stack.endpoints, day)
        environment = stack.environment() | {
            "AIRFLOW_VAR_CLOUDTRAIL_STAGING_BUCKET": BUCKET,
            "AIRFLOW_VAR_CLOUDTRAIL_TRAIL": TRAIL.arn,
        }
        _say(f"The services started within {time.monotonic() - began:.0f} s. Creating Airflow's backfills …")
        open_jobs = planned.result()
        _say(f"Starting Airflow after {time.monotonic() - began:.0f} s …")
        with Airflow(AirflowSettings(HOME / "airflow", environment)) as airflow:
            _say(f"Airflow's UI: {airflow.url}  (user admin, password {airflow.password})")
            for job in open_jobs:
                _say("The last demo was stopped early, and its backfill is still open in Airflow.")
                replace_backfill(airflow, job.dag_id, job.first, job.last, job.days, _say)
            before = _effort(stack)
            airflow.request("PATCH", f"/dags/{jobs[1].dag_id}?update_mask=is_paused", {"is_paused": False})
            days = [day for job in jobs for day in _follow(airflow, stack, job)]
            for job in jobs:
                close_backfills(airflow, job.dag_id, _say)
            _print_totals(days)
            calls, documents = (after - earlier for after, earlier in zip(_effort(stack), before, strict=True))
            _say(f"LookupEvents calls: {calls}; documents written: {documents}.")
            if calls == documents == 0:
                _say("Everything was already loaded. Nothing was looked up or loaded again.")
            proven = all(day.state == "success" and day.totals for day in days)
            verdict = "Verified as complete" if proven else "NOT complete"
            _say(f"{verdict} after {time.monotonic() - began:.0f} s.")
            _say(f"Try:  curl '{stack.search_url}/cloudtrail-*/_search?q=eventName:ConsoleLogin&size=1&pretty'")
            if once:
                return 0 if proven else 1
            _say("Press Ctrl-C to stop it.")
            signal.pause()
    return 0


def _plan(jobs: Sequence[Job]) -> list[Job]:
    """Create the backfills while the services still start; return the jobs of which another one is open."""
    airflow = Airflow(AirflowSettings(HOME / "airflow", {}))
    airflow.prepare()
    return [job for job in jobs if not _backfill(airflow, job)]


def _backfill(airflow: Airflow, job: Job) -> bool:
    """Create a backfill of the days, in which loaded days run again; return False if another one is open."""
    options = ["--max-active-runs", str(job.days), "--reprocess-behavior", "completed"]
    try:
        airflow.backfill(job.dag_id, str(job.first), str(job.last), *options)
    except BusyError:
        return False
    return True


def _follow(airflow: Airflow, stack: Stack, job: Job) -> list[Day]:
    """Print the progress of the backfill until every run has ended; return the result of each day."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < deadline:
        try:
            runs = _runs(airflow, job)
            if len(runs) >= job.days and all(run["state"] in {"success", "failed"} for run in runs):
                return [_day(airflow, job, run) for run in sorted(runs, key=lambda run: str(run["logical_date"]))]
            _progress(airflow, stack, job, runs)
        except AirflowError as error:
            if error.status is not None:
                raise
            _say(f"Airflow does not answer; retrying ({error}) …")
        time.sleep(3)
    raise DemoError(f"the backfill did not end within {LIMIT_SECONDS} s; see {airflow.url}")


def _runs(airflow: Airflow, job: Job) -> list[dict[str, Any]]:
    """Return the runs of these days, no matter what created them."""
    return [
        run
        for run in airflow.runs(job.dag_id)
        if run["logical_date"] and str(job.first) <= run["logical_date"][:10] <= str(job.last)
    ]


def _progress(airflow: Airflow, stack: Stack, job: Job, runs: Sequence[dict[str, Any]]) -> None:
    """Print the number of ended days, of calls to the simulator and of written documents."""
    ended = sum(run["state"] in {"success", "failed"} for run in runs)
    loaded = airflow.request(
        "GET", f"/dags/{job.dag_id}/dagRuns/~/taskInstances?task_id=cell.load&state=success&limit=1"
    )
    calls, documents = _effort(stack)
    _say(
        f"  {datetime.now(UTC):%H:%M:%S}  {job.source}: {ended} of {job.days} days, "
        f"{loaded['total_entries']} load tasks done, "
        f"{calls} LookupEvents calls, {documents:,} documents written",
        replaces=True,
    )


def _day(airflow: Airflow, job: Job, run: dict[str, Any]) -> Day:
    totals = None
    if run["state"] == "success":
        path = f"/dags/{job.dag_id}/dagRuns/{run['dag_run_id']}/taskInstances/coverage/xcomEntries/return_value"
        value = airflow.request("GET", path.replace("+", "%2B"))["value"]
        totals = json.loads(value) if isinstance(value, str) else value
    return Day(run["logical_date"][:10], job.source, run["state"], totals)


def _print_totals(days: Sequence[Day]) -> None:
    names = ["looked up or listed" if name == "looked_up" else name for name in _FIGURES]
    widths = [max(12, len(name) + 2) for name in names]
    _say("\n" + f"{'day':<12}{'source':<14}" + _row(names, widths) + "  proof")
    for day in days:
        about = f"{day.day:<12}{day.source:<14}"
        if day.totals is None:
            _say(f"{about}  {day.state}: see the run's coverage task")
            continue
        figures = _row([f"{day.totals[name]:,}" for name in _FIGURES], widths)
        proofs = [f"{day.totals[status]} {status}" for status in ProofStatus if status in day.totals]
        _say(f"{about}{figures}  {', '.join(proofs) or 'counts'}")
    loaded = [day.totals for day in days if day.totals is not None]
    sums = _row([f"{sum(totals[name] for totals in loaded):,}" for name in _FIGURES], widths)
    _say(f"{'all':<26}{sums}\n")


def _row(values: Sequence[str], widths: Sequence[int]) -> str:
    return "".join(f"{value:>{width}}" for value, width in zip(values, widths, strict=True))


def _effort(stack: Stack) -> tuple[int, int]:
    """Return the numbers of LookupEvents calls and of written documents so far, without the ledger."""
    indices = f"*,-{COVERAGE_INDEX}*"
    with urllib.request.urlopen(f"{stack.search_url}/{indices}/_stats/indexing", timeout=30) as answer:
        written = json.load(answer)["_all"]["primaries"].get("indexing", {}).get("index_total", 0)
    return stack.lookup_calls(), int(written)


def _say(text: str, *, replaces: bool = False) -> None:
    """Print a line; on a terminal, a progress line replaces the one before it."""
    terminal = sys.stdout.isatty()
    end = "\r" if replaces and terminal else "\n"
    width = os.get_terminal_size().columns - 1 if terminal else 0
    print(text.ljust(width) if replaces else text, end=end, flush=True)


if __name__ == "__main__":
    sys.exit(main())
