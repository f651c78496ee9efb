"""``live_lag`` and ``live_idle``: how soon live runs show an event, and the cost of a run without new events."""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Set
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from bench.airflow_runs import DAGS, Runs, airflow
from bench.children import BUCKET
from bench.results import Result
from bench.services import services
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.search.server import SearchServer as SearchClient
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.endpoints import Endpoints
from devstack.fake_s3 import FakeS3
from devstack.processes import ROOT
from devstack.processor import measure_processor
from devstack.search_server import OPENSEARCH_3, SearchServer
from devstack.simulator import DEFAULT_ACCOUNT, REGIONS, Simulator, SimulatorSettings, Span
from devstack.simulator.trails import MemoryBucket

LIVE_DAG: Final = ROOT / "dags" / "cloudtrail_live.py"
INTERVAL: Final = 300
"""Seconds between two runs of the bench; it is in `bench/dags/live_each_five_minutes.py`."""
INTERVALS: Final = 3
TO_REACH: Final = 1.3
PAIRS: Final = 5

_LIVE: Final = DAGS / "live_each_five_minutes.py"
_TRIVIAL: Final = DAGS / "trivial_batches.py"
_VOLUME: Final = 20_000
_PATIENCE: Final = 900
_POLL_SECONDS: Final = 0.5
_MOST_FOUND: Final = 10_000
_QUIET: Final = ("--quota=1000000", "--burst=100000", "--latency=0", "--volume=0")


def lag() -> list[Result]:
    """Let Airflow's scheduler make live runs, and search all the time for new events."""
    with ExitStack() as stack:
        simulator = stack.enter_context(Simulator(SimulatorSettings(volume=_VOLUME)))
        s3 = stack.enter_context(FakeS3({BUCKET: MemoryBucket()}))
        search = stack.enter_context(SearchServer(OPENSEARCH_3))
        endpoints = Endpoints(s3.endpoint_url, simulator.endpoint_url, search.url, OPENSEARCH_3.engine)
        more = {"AIRFLOW__SCHEDULER__USE_JOB_SCHEDULE": "true"}
        runs = stack.enter_context(airflow([_LIVE], endpoints, more))
        watch = _Watch(connect(SearchSettings.from_url(search.url)), simulator)
        _await_runs(runs, 1)
        begins = time.time()
        ends = begins + INTERVALS * INTERVAL
        watch.search(ends)
        available = {event: at for event, at in watch.list_available(begins).items() if at < ends}
        watch.search(ends + 2 * INTERVAL, available.keys())
        measured = _list_runs(runs)[1:]
    if len(available) < 100 or not available.keys() <= watch.found.keys():
        missing = len(available.keys() - watch.found.keys())
        raise RuntimeError(f"{missing} of {len(available)} events were not found: nothing was measured")
    lags = sorted(watch.found[event] - at for event, at in available.items())
    p95 = lags[int(0.95 * len(lags))]
    return [
        Result(
            name="live_lag",
            value=p95 / INTERVAL,
            unit="intervals of the schedule",
            at_most=TO_REACH,
            how=(
                f"from the moment at which the simulator makes an event available until a search finds it, p95 of "
                f"{len(available):,} events in {len(REGIONS)} regions; a run every {INTERVAL} s by Airflow's own "
                f"schedule for {INTERVALS} intervals; AWS's quota and latency, LocalExecutor on SQLite, "
                f"OpenSearch with the loader's refresh interval; a search every {_POLL_SECONDS} s"
            ),
            limited_by=(
                "the schedule: an event waits for the next run; then the index's refresh interval, and Airflow, "
                "which starts two processes for a run"
            ),
            parts={
                "p95, s": p95,
                "median, s": statistics.median(lags),
                "longest, s": lags[-1],
                "a run, s": statistics.median(each.seconds for each in measured),
                "longest wait for a run's start, s": max(each.waited for each in measured),
            },
        )
    ]


def idle() -> list[Result]:
    """Make a quiet live run and a run of as many trivial tasks alternately in one Airflow."""
    with services(*_QUIET) as running, SearchServer(OPENSEARCH_3) as search:
        endpoints = Endpoints(running.s3, running.cloudtrail, search.url, OPENSEARCH_3.engine)
        with airflow([LIVE_DAG, _TRIVIAL], endpoints) as runs:
            runs.airflow.request("PATCH", f"/dags/{LIVE_DAG.stem}?update_mask=is_paused", {"is_paused": False})
            cases: dict[str, Mapping[str, Any]] = {LIVE_DAG.stem: {"index": "bench-%Y.%m"}, _TRIVIAL.stem: {}}
            for dag_id, conf in cases.items():
                runs.run(dag_id, conf)  # the first live run stores the watermarks
            used: dict[str, list[float]] = {dag_id: [] for dag_id in cases}
            for number in range(PAIRS):
                for dag_id in list(cases)[:: 1 if number % 2 else -1]:
                    before = measure_processor(runs.airflow)
                    runs.run(dag_id, cases[dag_id])
                    used[dag_id].append(measure_processor(runs.airflow) - before)
    live, trivial = used[LIVE_DAG.stem], used[_TRIVIAL.stem]
    return [
        Result(
            name="live_idle",
            value=statistics.median(ours / theirs for ours, theirs in zip(live, trivial, strict=True)),
            unit="times the processor time",
            at_most=TO_REACH,
            how=(
                f"the processor time of Airflow's services and tasks during a live run of {len(REGIONS)} quiet "
                f"regions, divided by that during a run of a DAG of as many tasks that do nothing; LocalExecutor "
                f"on SQLite; median of {PAIRS} pairs after one of warm-up"
            ),
            limited_by=(
                "Airflow itself: every task is a process that reads the plugins and the DAG. The live run adds "
                "clients of AWS and of the search server, and one LookupEvents call for each region"
            ),
            parts={"live run, s": statistics.median(live), "trivial run, s": statistics.median(trivial)},
        )
    ]


class _Watch:
    """Searches for events, and keeps when each was first found."""

    def __init__(self, server: SearchClient, simulator: Simulator) -> None:
        self._server = server
        self._simulator = simulator
        self._since = time.time()
        self.found: dict[str, float] = {}
        """The time of the search that first found an event, in epoch seconds."""

    def search(self, until: float, wanted: Set[str] | None = None) -> None:
        """Search again and again until a time, without a refresh of the indices.

        :param wanted: end earlier if all of these events were found
        """
        body = {
            "size": _MOST_FOUND,
            "_source": ["eventID"],
            "query": {"range": {"eventTime": {"gte": _format_time(self._since)}}},
        }
        path = "/live-bench-*/_search?ignore_unavailable=true&filter_path=hits.hits._source"
        while (began := time.time()) < until and (wanted is None or not wanted <= self.found.keys()):
            answer = self._server.request("POST", path, codec.encode(body))
            now = time.time()
            for hit in answer.get("hits", {}).get("hits", ()):
                self.found.setdefault(hit["_source"]["eventID"], now)
            time.sleep(max(0.0, began + _POLL_SECONDS - time.time()))

    def list_available(self, begins: float) -> dict[str, float]:
        """Return when each event became available, from a time on, by eventID."""
        spans = (Span(DEFAULT_ACCOUNT, region, int(begins), int(time.time())) for region in REGIONS)
        entries = (each for span in spans for each in self._simulator.service.arrivals(span))
        return {entry.id: at for entry, at in entries if at >= begins}


@dataclass(frozen=True, slots=True)
class _Ended:
    waited: float
    """Seconds from the time of its schedule to its start."""
    seconds: float
    """Seconds from its start to its end."""


def _list_runs(runs: Runs) -> list[_Ended]:
    """Return the runs that ended in success, the first one first."""
    found = [run for run in runs.airflow.runs(_LIVE.stem) if run["state"] == "success"]
    found.sort(key=lambda run: str(run["start_date"]))
    names = ("run_after", "start_date", "end_date")
    times = [[datetime.fromisoformat(run[name]) for name in names] for run in found]
    return [_Ended((start - due).total_seconds(), (end - start).total_seconds()) for due, start, end in times]


def _await_runs(runs: Runs, number: int) -> None:
    deadline = time.monotonic() + _PATIENCE
    while len(_list_runs(runs)) < number:
        if time.monotonic() > deadline:
            raise RuntimeError("no live run ended in success: nothing was measured")
        time.sleep(1)


def _format_time(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat()
