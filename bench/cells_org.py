"""``cells_org``: the time of an organization's day in Airflow, divided by that of 17 chains that do nothing."""

from __future__ import annotations

import itertools
import re
import statistics
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from bench.airflow_runs import DAGS, TRAIL_DAG, Run, Runs, airflow
from bench.children import BUCKET
from bench.results import FOLDER, Result
from bench.services import services
from devstack.days import last_settled_day
from devstack.endpoints import Endpoints
from devstack.fake_s3 import FakeS3Process
from devstack.search_server import DISTRIBUTIONS, SearchServer
from devstack.simulator.regions import REGIONS
from devstack.simulator.trails import FolderBucket, Kind, Trail
from devstack.simulator.trails.log_files import compress

ACCOUNTS: Final = 200
BUSY: Final = 10
"""One of so many windows has log files."""

FILES: Final = 4
EVENTS: Final = 25
"""Of a busy window's log file."""

PAIRS: Final = 3
TO_REACH: Final = 2.0

_TRAIL: Final = Trail(bucket="trail", organization="o-benchbench")
_SAMPLE: Final = FOLDER.parent / "tests" / "data" / "events.ndjson"
_EVENT_ID: Final = re.compile(rb'"eventID":"[^"]*"')
_EVENT_ID_OF: Final = b'"eventID":"%08x-0000-4000-8000-000000000000"'
_REAL: Final = TRAIL_DAG.stem
_TRIVIAL: Final = "trivial_cells"


def measure(accounts: int = ACCOUNTS) -> list[Result]:
    """Run the trail's DAG and one of trivial tasks alternately in one Airflow."""
    with tempfile.TemporaryDirectory() as folder:
        _write_trail(FolderBucket(Path(folder) / _TRAIL.bucket), accounts)
        (Path(folder) / BUCKET).mkdir()
        with (
            FakeS3Process(Path(folder)) as s3,
            services("--volume=0") as running,
            SearchServer(DISTRIBUTIONS["opensearch-3"]) as search,
        ):
            endpoints = Endpoints(running.s3, running.cloudtrail, search.url, "opensearch")
            more = {
                "AWS_ENDPOINT_URL_S3": s3.endpoint_url,
                "AIRFLOW_VAR_CLOUDTRAIL_TRAIL_BUCKET": _TRAIL.bucket,
            }
            with airflow([TRAIL_DAG, DAGS / f"{_TRIVIAL}.py"], endpoints, more) as runs:
                runs.airflow.request("PATCH", f"/dags/{_REAL}?update_mask=is_paused", {"is_paused": False})
                _pair(runs, 0)
                runs.settle(_REAL)  # yesterday, which is scheduled by itself
                pairs = [_pair(runs, number) for number in range(1, PAIRS + 1)]
                chains = {
                    f"{task}, s": statistics.median(sum(real.task_seconds(f"cell.{task}")) for real, _ in pairs)
                    for task in ("list", "load")
                }
    windows = accounts * len(REGIONS)
    result = Result(
        name="cells_org",
        value=statistics.median(real.seconds / trivial.seconds for real, trivial in pairs),
        unit="times as long",
        at_most=TO_REACH,
        how=(
            f"one day of an organization ({accounts} accounts, {len(REGIONS)} regions, {windows:,} windows, one "
            f"of {BUSY} with {FILES} log files of {EVENTS} events, validation off) by the trail's DAG, divided by "
            f"{len(REGIONS)} mapped chains of two tasks that do nothing; LocalExecutor on SQLite, trail and "
            f"staging in a stand-in for S3 without latency, OpenSearch on the same machine; from the run's "
            f"start to its end by Airflow's own times; median of {PAIRS} pairs after a warm-up"
        ),
        limited_by=(
            "the requests of each window, not Airflow: listing it, its manifest, and for a busy one its log "
            "files, bulk requests, counts and ledger"
        ),
        parts={
            "real, s": statistics.median(real.seconds for real, _ in pairs),
            "trivial, s": statistics.median(trivial.seconds for _, trivial in pairs),
            **chains,
        },
    )
    return [result]


def _pair(runs: Runs, number: int) -> tuple[Run, Run]:
    """Run both DAGs, starting with the one whose turn it is; the real one stages below a prefix of its own."""
    name = f"org-{number}"
    conf = {
        "start": str(last_settled_day()),
        "prefix": name,
        "index": f"{name}-%Y.%m",
    }
    return runs.run_both(_REAL, conf, _TRIVIAL, len(REGIONS), number)


def _write_trail(bucket: FolderBucket, accounts: int) -> None:
    """Write the day's log files; a quiet window has its folder from an earlier day."""
    day = last_settled_day()
    today, earlier = (
        int(datetime(each.year, each.month, each.day, tzinfo=UTC).timestamp())
        for each in (day, day - timedelta(1))
    )
    lines = itertools.cycle(_SAMPLE.read_bytes().splitlines())
    numbers = itertools.count()
    for number, (account, region) in enumerate(itertools.product(range(accounts), REGIONS)):
        for file in range(FILES):
            some = itertools.islice(lines, EVENTS)
            # Each event of its own, because one that replaces another costs the server more.
            events = b",".join(_EVENT_ID.sub(_EVENT_ID_OF % next(numbers), line) for line in some)
            start = earlier if number % BUSY else today
            key = _TRAIL.log_file_key(
                f"{200_000_000_000 + account}", Kind.EVENTS, region, start + file * 3600, f"{file:016d}"
            )
            bucket.put(key, compress(b'{"Records":[' + events + b"]}"), {})
            if number % BUSY:
                break
