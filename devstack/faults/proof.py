"""Check a round: every event by its eventID, every cell by its coverage, and every page that was fetched twice."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from cloudtrail_elasticsearch.core.coverage.windows import midnight
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.index.index_pattern import QUARANTINE_INDEX
from cloudtrail_elasticsearch.core.search.server import SearchServer
from devstack.faults.scene import Scene
from devstack.simulator import Simulator

_HITS: Final = 5_000
_EVENTS_PER_PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class Events:
    """The counts of what happened to the events that exist."""

    there_are: int
    lost: int
    """Neither indexed nor in quarantine."""
    duplicates: int
    """Documents beyond one for each event, and events both indexed and in quarantine."""
    strangers: int
    """Documents of events that do not exist."""
    quarantined: int


@dataclass(frozen=True, slots=True)
class Attempts:
    """The number of attempts that Airflow made."""

    all: int
    fetches_again: int
    """Attempts of fetches beyond the first of each: the number of interruptions."""
    windows_again: int
    """The same, each attempt counted for every window of its batch: at most so many were interrupted."""
    most: int
    """Attempts of the task with the most attempts."""


def count_events(scene: Scene, truth: list[str]) -> Events:
    """Compare the simulator's own list of ids with those in the indices and in quarantine."""
    stored = Counter(read_event_ids(scene.client, scene.indices))
    quarantined = Counter(read_event_ids(scene.client, QUARANTINE_INDEX))
    found = stored + quarantined
    wanted = set(truth)
    return Events(
        there_are=len(truth),
        lost=len(wanted - found.keys()),
        duplicates=sum(count - 1 for count in found.values()),
        strangers=len(found.keys() - wanted),
        quarantined=len(quarantined),
    )


def list_truth(simulator: Simulator, regions: Iterable[str], first: date, days: int) -> list[str]:
    """Return the eventIDs of some regions and days, as the simulator lists them."""
    start, end = midnight(first), midnight(first + timedelta(days=days)) - timedelta(seconds=1)
    return [event for region in regions for event in simulator.truth(region, start, end)]


def sum_coverage(scene: Scene) -> Counter[str]:
    """Return the sums of the runs' coverage results. A failed run has no result."""
    sums: Counter[str] = Counter()
    for run in scene.airflow.runs(scene.dag_id):
        if run["state"] == "success":
            name = run["dag_run_id"].replace("+", "%2B")
            path = f"/dags/{scene.dag_id}/dagRuns/{name}/taskInstances/coverage/xcomEntries/return_value"
            value = scene.airflow.request("GET", path)["value"]
            sums.update(json.loads(value) if isinstance(value, str) else value)
    return sums


def count_attempts(scene: Scene) -> Attempts:
    """Return the number of attempts of the tasks."""
    tasks = scene.tasks()
    tries = [task["try_number"] for task in tasks]
    again = {
        number: tried - 1
        for number, tried in enumerate(tries)
        if tried and tasks[number]["task_id"] == "cell.fetch"
    }
    windows = sum(count * _count_windows(tasks[number]) for number, count in again.items())
    return Attempts(sum(tries), sum(again.values()), windows, max(tries, default=0))


def _count_windows(task: Mapping[str, Any]) -> int:
    """Return the number of windows of a task's batch, from its name; that of a single window has no number."""
    named = re.search(r": (\d+) windows of ", task["rendered_map_index"] or "")
    return int(named[1]) if named else 1


def count_repeated_pages(simulator: Simulator) -> int:
    """Return the number of pages that were fetched twice.

    It is counted in pages and in events, and the higher count is returned. An attempt that divides a window in
    another way requests pages that nobody requested before, and gets events that were already fetched.
    """
    regions = simulator.service.statistics.regions.values()
    pages = sum(region.repeated_pages for region in regions)
    return max(pages, -(-sum(region.repeated_events for region in regions) // _EVENTS_PER_PAGE))


def count_borders(simulator: Simulator, windows: int) -> int:
    """Return the number of ranges beyond one for each window: a divided window repeats its first page."""
    ranges = sum(region.ranges for region in simulator.service.statistics.regions.values())
    return max(0, ranges - windows)


def read_event_ids(server: SearchServer, indices: str) -> Iterator[str]:
    """Yield the eventID of every document, once for each document; its own id if it has no eventID."""
    options = "ignore_unavailable=true&allow_no_indices=true"
    server.request("POST", f"/{indices}/_refresh?{options}")
    body = {"size": _HITS, "sort": ["_doc"], "_source": ["eventID"], "query": {"match_all": {}}}
    answer = server.request("POST", f"/{indices}/_search?scroll=1m&{options}", codec.encode(body))
    while hits := _hits(answer):
        yield from (hit["_source"].get("eventID") or hit["_id"] for hit in hits)
        after = codec.encode({"scroll": "1m", "scroll_id": answer["_scroll_id"]})
        answer = server.request("POST", "/_search/scroll", after)
    # A server keeps at most 500 scrolls, each for its minute, and tests read the ids until an event is there.
    # If no index matches, the server keeps no scroll, and answers 404 to the request that closes it.
    if answer["_shards"]["total"]:
        server.request("DELETE", "/_search/scroll", codec.encode({"scroll_id": [answer["_scroll_id"]]}))


def _hits(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return list(answer["hits"]["hits"])
