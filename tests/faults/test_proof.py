"""The checks of the fault suite: they find lost, doubled and unknown events, and pages that were fetched twice."""

from __future__ import annotations

from collections import Counter
from types import SimpleNamespace
from typing import Any, cast

import pytest

from devstack.faults import proof
from devstack.faults.proof import Attempts, Events
from devstack.faults.round import PAGES_AGAIN, Outcome
from devstack.faults.scene import Scene
from devstack.simulator.statistics import RegionStatistics


class Held:
    """A search server with documents of these eventIDs, two on a page."""

    def __init__(self, **indices: list[str]) -> None:
        self._indices = {"indexed": indices["indexed"], "cloudtrail-quarantine": indices["quarantined"]}
        self._left: list[str] = []
        self.scrolls = 0
        """The scrolls that are open."""

    def request(self, method: str, path: str, body: bytes | None = None) -> Any:
        del body
        self.scrolls -= method == "DELETE"
        if "/_search?scroll" in path:
            self.scrolls += 1
            self._left = list(self._indices[path.split("/")[1]])
        page, self._left = self._left[:2], self._left[2:]
        hits = [{"_source": {"eventID": event}} for event in page]
        return {"_scroll_id": "one", "_shards": {"total": 1}, "hits": {"hits": hits}}


@pytest.mark.parametrize(
    ("indexed", "quarantined", "found"),
    [
        (["a", "b", "c"], [], Events(3, lost=0, duplicates=0, strangers=0, quarantined=0)),
        (["a", "b"], ["c"], Events(3, lost=0, duplicates=0, strangers=0, quarantined=1)),
        (["a"], [], Events(3, lost=2, duplicates=0, strangers=0, quarantined=0)),
        (["a", "b", "c", "a", "a"], [], Events(3, lost=0, duplicates=2, strangers=0, quarantined=0)),
        (["a", "b", "c"], ["c"], Events(3, lost=0, duplicates=1, strangers=0, quarantined=1)),
        (["a", "b", "x"], [], Events(3, lost=1, duplicates=0, strangers=1, quarantined=0)),
    ],
)
def test_every_event_is_accounted_for(indexed: list[str], quarantined: list[str], found: Events) -> None:
    """Each existing event must be in one place, once, and no other event may be stored."""
    client = Held(indexed=indexed, quarantined=quarantined)
    scene = cast(Scene, SimpleNamespace(client=client, indices="indexed"))
    assert proof.count_events(scene, ["a", "b", "c"]) == found
    assert client.scrolls == 0


@pytest.mark.parametrize(("pages", "events", "twice"), [(0, 0, 0), (3, 150, 3), (2, 0, 2), (0, 51, 2)])
def test_repeated_pages_are_counted_by_their_events_too(pages: int, events: int, twice: int) -> None:
    """An empty page counts, and so do events that come again in pages of other ranges."""
    regions = {"eu-west-1": RegionStatistics(repeated_pages=pages, repeated_events=events)}
    simulator: Any = SimpleNamespace(service=SimpleNamespace(statistics=SimpleNamespace(regions=regions)))
    assert proof.count_repeated_pages(simulator) == twice


def test_an_uninterrupted_fetch_may_fetch_nothing_twice() -> None:
    """The bound is the pages of seconds for each interruption of a window, and one for each border."""
    whole = Events(3, lost=0, duplicates=0, strangers=0, quarantined=0)
    for again in (0, 3):
        attempts = Attempts(all=10 + again, fetches_again=again and 1, windows_again=again, most=1 + again)
        outcome = Outcome("opensearch-3", 1, whole, Counter(), attempts, repeated_pages=0, borders=5, mended=0)
        assert outcome.allowed_pages == again * PAGES_AGAIN + 5


def test_an_attempt_counts_for_every_window_of_its_batch() -> None:
    """As the name of the batch shows; a load does not count."""
    names = {
        "123456789012 us-east-1 2026-11-20": 2,
        "2026-11-20 1 of 2: 5 windows of account 123456789012": 3,
        "2026-11-20 2 of 2: 17 windows of 3 accounts": 1,
    }
    tasks = [
        {"task_id": task_id, "rendered_map_index": name, "try_number": tried}
        for task_id in ("cell.fetch", "cell.load")
        for name, tried in names.items()
    ]
    plan = {"task_id": "plan", "rendered_map_index": None, "try_number": 1}
    scene: Any = SimpleNamespace(tasks=lambda: [plan, *tasks])
    assert proof.count_attempts(scene) == Attempts(all=13, fetches_again=3, windows_again=11, most=3)


def test_a_divided_window_has_borders() -> None:
    """Seven ranges of time were requested for three windows."""
    regions = {"eu-west-1": RegionStatistics(ranges=5), "us-east-1": RegionStatistics(ranges=2)}
    simulator: Any = SimpleNamespace(service=SimpleNamespace(statistics=SimpleNamespace(regions=regions)))
    assert proof.count_borders(simulator, 3) == 4
