"""The progress of several pieces of work as one value."""

from __future__ import annotations

import time
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.errors import SupersededError
from cloudtrail_elasticsearch.core.joint_progress import JointProgress
from cloudtrail_elasticsearch.core.progress import Checkpoint, InMemoryStore


class Counting(InMemoryStore):
    """Counts its requests."""

    def __init__(self) -> None:
        super().__init__()
        self.requests: list[str] = []

    def get(self, key: str, default: Any = None) -> Any:
        self.requests.append("get")
        return super().get(key, default)

    def set(self, key: str, value: Any) -> None:
        self.requests.append("set")
        super().set(key, value)

    def delete(self, key: str) -> None:
        self.requests.append("delete")
        super().delete(key)


def progress(store: InMemoryStore, fingerprint: str = "work") -> JointProgress:
    return JointProgress(Checkpoint(store, "batch", fingerprint))


@pytest.mark.promise("restartable")
def test_a_further_attempt_finds_the_values_and_the_start_of_the_first_one() -> None:
    """Other work finds nothing."""
    store = InMemoryStore()
    with progress(store) as first:
        first.set("one", [1])
        first.set("two", [2])
        first.delete("two")
    with progress(store) as second:
        assert second.is_resumed
        assert second.since == first.since
        assert (second.get("one"), second.get("two", "none")) == ([1], "none")
    with progress(store, "other") as other:
        assert not other.is_resumed
        assert other.get("one") is None


def test_short_work_costs_a_request_at_its_start_and_one_at_its_end() -> None:
    """However many values it keeps."""
    store = Counting()
    with progress(store) as joint:
        for number in range(100):
            joint.set(str(number), number)
        joint.finish()
    assert store.requests == ["get", "delete"]
    with progress(store) as again:
        assert not again.is_resumed


@pytest.mark.promise("restartable")
def test_longer_work_is_saved_while_it_runs() -> None:
    """A killed attempt loses about a second of its progress."""
    store = Counting()
    with progress(store) as joint:
        joint.set("one", 1)
        deadline = time.monotonic() + 20
        while "set" not in store.requests and time.monotonic() < deadline:
            time.sleep(0.05)
        killed = progress(store)
        with killed:
            assert killed.get("one") == 1


def test_an_attempt_that_was_replaced_stops() -> None:
    """Another attempt does its work."""

    class Replaced(InMemoryStore):
        def set(self, key: str, value: Any) -> None:
            raise SupersededError("another attempt has replaced this one")

    with pytest.raises(SupersededError), progress(Replaced()) as joint:
        joint.set("one", 1)


def test_a_value_of_another_version_is_ignored() -> None:
    """The work starts from the beginning."""
    store = InMemoryStore()
    Checkpoint(store, "batch", "work").save({"cells": []})
    with progress(store) as joint:
        assert not joint.is_resumed
