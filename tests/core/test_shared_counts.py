"""Counts of several windows together: each has the figures that it has alone."""

from __future__ import annotations

import random
import threading
from collections.abc import Sequence
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.index.index_pattern import QUARANTINE_INDEX
from cloudtrail_elasticsearch.core.loading.loader import HeldEvents, Loader
from cloudtrail_elasticsearch.core.loading.places import Place, locate_line
from tests.core.test_load import Server, lines, loader, rejecting

ALIENS = [b'{"detail":{"eventName":"PutObject"}}', b"[1]"]


class Counting(Server):
    """Counts the requests by their last word."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.asked: list[str] = []

    def request(self, method: str, path: str, body: bytes | None = None) -> Any:
        self.asked.append(path.partition("?")[0])
        return super().request(method, path, body)


def count_together(loader: Loader, groups: Sequence[Sequence[Place]]) -> list[HeldEvents]:
    return loader._count_groups(groups)


def group(some: Sequence[bytes]) -> list[Place]:
    return [locate_line(line) for line in some]


def test_windows_whose_events_are_all_indexed_share_their_requests() -> None:
    """Windows may have events in common."""
    server = Counting()
    one = loader(server)
    one.load(lines(60))
    server.asked.clear()
    groups = [group(lines(60)[start : start + 20]) for start in (0, 10, 20, 40)]
    assert count_together(one, groups) == [HeldEvents(indexed=20)] * 4
    assert sorted(server.asked) == sorted(
        [f"/{QUARANTINE_INDEX}/_refresh", f"/{QUARANTINE_INDEX}/_count", "/one/_refresh", "/one/_count"]
    )


@pytest.mark.promise("nothing-lost")
@pytest.mark.parametrize("seed", range(30))
def test_windows_have_the_figures_that_they_have_alone(seed: int) -> None:
    """Whatever the server has lost, or holds in the quarantine, or holds in both."""
    chance = random.Random(seed)
    server = Server()
    one = loader(server)
    known = [*lines(40), *ALIENS]
    one.load(chance.sample(known, chance.choice([len(known), 41, 30])))
    for key in chance.sample(sorted(server.documents), chance.choice([0, 0, 1, 3])):
        del server.documents[key]
    groups = [group(chance.sample(known, chance.randint(0, 20))) for _ in range(chance.randint(2, 5))]
    before = dict(server.documents)
    alone = [one.count_places(each) for each in groups]
    server.documents = before
    assert count_together(one, groups) == alone


@pytest.mark.promise("nothing-lost")
def test_an_event_in_the_quarantine_is_not_counted_as_indexed() -> None:
    """Even if all others of its group are indexed."""
    server = rejecting("mine")
    one = loader(server)
    one.load([*lines(10), ALIENS[0]])
    assert count_together(one, [group(lines(10)), group(ALIENS[:1])]) == [
        HeldEvents(indexed=10),
        HeldEvents(quarantined=1),
    ]


def test_threads_get_their_own_figures() -> None:
    """They may count at the same time."""
    server = Server()
    one = loader(server)
    one.load(lines(200))
    found: dict[int, int] = {}

    def count(number: int) -> None:
        found[number] = one.count_places(group(lines(number))).indexed

    threads = [threading.Thread(target=count, args=(number,)) for number in range(1, 201, 7)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {number: number for number in range(1, 201, 7)}
