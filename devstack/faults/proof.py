"""What came of a round: every event by its eventID, every cell by its coverage, every page by who asked."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.index_setup import SearchServer
from cloudtrail_elasticsearch.core.mapping import QUARANTINE_INDEX
from cloudtrail_elasticsearch.core.windows import midnight
from devstack.faults.scene import DAG_ID, Scene
from devstack.simulator import Simulator

_HITS: Final = 5_000
_EVENTS_PER_PAGE: Final = 50


@dataclass(frozen=True, slots=True)
class Events:
    """What became of the events that there are."""

    there_are: int
    lost: int
    """Neither indexed nor in quarantine."""
    duplicates: int
    """Documents beyond one for each event, and events both indexed and in quarantine."""
    strangers: int
    """Documents of events that there are not."""
    quarantined: int


@dataclass(frozen=True, slots=True)
class Attempts:
    """How often Airflow tried."""

    all: int
    fetches_again: int
    """Attempts of fetches beyond the first of each: how often a fetch was interrupted."""
    most: int
    """Attempts of the task that needed the most."""


def events(scene: Scene, truth: list[str]) -> Events:
    """Hold the simulator's own list of eventIDs against those in the indices and in quarantine."""
    stored = Counter(indexed(scene.client, scene.indices))
    quarantined = Counter(indexed(scene.client, QUARANTINE_INDEX))
    found = stored + quarantined
    wanted = set(truth)
    return Events(
        there_are=len(truth),
        lost=len(wanted - found.keys()),
        duplicates=sum(count - 1 for count in found.values()),
        strangers=len(found.keys() - wanted),
        quarantined=len(quarantined),
    )


def truth(simulator: Simulator, regions: Iterable[str], first: date, days: int) -> list[str]:
    """Return the eventIDs of some regions and days, as the simulator lists them."""
    start, end = midnight(first), midnight(first + timedelta(days=days)) - timedelta(seconds=1)
    return [event for region in regions for event in simulator.truth(region, start, end)]


def coverage(scene: Scene) -> Counter[str]:
    """Return the sums over what the runs' coverage tasks gave back; a run that failed gives nothing."""
    sums: Counter[str] = Counter()
    for run in scene.airflow.runs(DAG_ID):
        if run["state"] == "success":
            name = run["dag_run_id"].replace("+", "%2B")
            path = f"/dags/{DAG_ID}/dagRuns/{name}/taskInstances/coverage/xcomEntries/return_value"
            value = scene.airflow.request("GET", path)["value"]
            sums.update(json.loads(value) if isinstance(value, str) else value)
    return sums


def attempts(scene: Scene) -> Attempts:
    """Return how often Airflow tried its tasks."""
    tasks = scene.tasks()
    tries = [task["try_number"] for task in tasks]
    again = (
        tried - 1 for task, tried in zip(tasks, tries, strict=True) if tried and task["task_id"] == "cell.fetch"
    )
    return Attempts(sum(tries), sum(again), max(tries, default=0))


def repeated_pages(simulator: Simulator) -> int:
    """Return how many pages were fetched twice.

    Counted as pages and as events, whichever is more: an attempt that cuts a window differently asks for pages
    that nobody asked for, and gets events that were fetched already.
    """
    regions = simulator.service.statistics.regions.values()
    pages = sum(region.repeated_pages for region in regions)
    return max(pages, -(-sum(region.repeated_events for region in regions) // _EVENTS_PER_PAGE))


def borders(simulator: Simulator, windows: int) -> int:
    """Return how many borders there were between slices: a page that a border divides is in both of them."""
    ranges = sum(region.ranges for region in simulator.service.statistics.regions.values())
    return max(0, ranges - windows)


def indexed(server: SearchServer, indices: str) -> Iterator[str]:
    """Yield the eventID of every document, as it stands in the document: twice where one is there twice."""
    options = "ignore_unavailable=true&allow_no_indices=true"
    server.request("POST", f"/{indices}/_refresh?{options}")
    body = {"size": _HITS, "sort": ["_doc"], "_source": ["eventID"], "query": {"match_all": {}}}
    answer = server.request("POST", f"/{indices}/_search?scroll=1m&{options}", codec.encode(body))
    while hits := _hits(answer):
        yield from (hit["_source"]["eventID"] for hit in hits)
        after = codec.encode({"scroll": "1m", "scroll_id": answer["_scroll_id"]})
        answer = server.request("POST", "/_search/scroll", after)


def _hits(answer: dict[str, Any]) -> list[dict[str, Any]]:
    return list(answer["hits"]["hits"])
