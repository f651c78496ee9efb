"""Listing the windows of a plan again: which windows keep their manifest."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.coverage.findings import ProofStatus
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.progress import InMemoryStore
from cloudtrail_elasticsearch.pipeline.trail import load_window
from cloudtrail_elasticsearch.pipeline.trail_list import ListedWindow, WindowLister
from cloudtrail_elasticsearch.pipeline.trail_plan import BatchWindow
from cloudtrail_elasticsearch.sources.trail.settings import TrailSettings
from cloudtrail_elasticsearch.staging import LoadRecord, TrailManifest, TrailStaging
from devstack.simulator.trails import tampering
from tests.core.test_load import Server
from tests.memory_s3 import MemoryS3
from tests.sources.trail.local_trail import DAY, LocalTrail, SimulatedKeys, local_trail
from tests.sources.trail.test_load_window import Ledger, make_loader
from tests.sources.trail.test_plan_days import SETTINGS, plan


class Lists:
    """Lists the first window of a trail, as one run after another does."""

    def __init__(self, trail: LocalTrail, settings: TrailSettings | None = None) -> None:
        self.trail = trail
        self.asked = BatchWindow(trail.region(), trail.region().window(DAY))
        self.staging = TrailStaging(MemoryS3(), "staging", "trail", self.asked.region.root.folder)
        self._settings = settings

    @property
    def window(self) -> Window:
        return self.asked.window

    @property
    def manifest(self) -> TrailManifest:
        found = self.staging.manifest(self.window)
        assert found is not None
        return found

    def list(self) -> ListedWindow:
        made = plan(self.trail, settings=self._settings)
        (region,) = [each for each in made.regions if (each.account, each.region) == self.window_place]
        keys = SimulatedKeys(self.trail.plan.keys)
        lister = WindowLister(made, self.trail.bucket, keys, lambda _: self.staging, is_again=False)
        return lister.list(BatchWindow(region, self.window))

    @property
    def window_place(self) -> tuple[str, str]:
        return self.window.account, self.window.region

    def load(self) -> ProofStatus | None:
        ledger: Any = Ledger()
        return load_window(
            self.manifest, self.trail.bucket, make_loader(Server()), ledger, self.staging, InMemoryStore()
        ).proof


@pytest.mark.promise("bounded")
def test_a_window_with_a_proof_is_listed_once() -> None:
    with local_trail() as trail:
        lists = Lists(trail)
        assert lists.list().is_new
        assert not lists.list().is_new
        lists.load()
        assert not lists.list().is_new
        kept = replace(lists.manifest, proof=ProofStatus.PENDING)
        assert lists.staging.publish(kept, lists.staging.standing(lists.window))
        assert lists.list().is_new


@pytest.mark.promise("proven-by-aws", "restartable")
def test_a_window_whose_list_failed_is_listed_again_by_the_run_that_is_repeated() -> None:
    """The coverage task asks for just that; somebody may have restored an object meanwhile."""
    with local_trail() as trail:
        lists = Lists(trail)
        key = trail.files()[0].key
        original = trail.objects.get(key)
        tampering.delete(trail.objects, key)
        lists.list()
        assert str(lists.manifest.proof) == "invalid"
        trail.objects.put(key, *original)
        assert lists.list().is_new
        assert lists.manifest.proof is ProofStatus.SIGNED


@pytest.mark.promise("proven-by-aws", "restartable")
def test_a_window_that_was_loaded_from_an_altered_object_is_listed_again() -> None:
    """Its list alone is sound, because the altered content is found by the load."""
    with local_trail() as trail:
        lists = Lists(trail)
        key = trail.files()[0].key
        original = trail.objects.get(key)
        tampering.change_event(trail.objects, key)
        lists.list()
        assert lists.manifest.proof is ProofStatus.SIGNED
        assert lists.load() is ProofStatus.INVALID
        trail.objects.put(key, *original)
        assert lists.list().is_new
        assert lists.load() is ProofStatus.SIGNED
        assert not lists.list().is_new


def test_a_window_with_a_record_of_other_events_than_listed_is_listed_again() -> None:
    """Else each run would send all of its events again."""
    with local_trail() as trail:
        lists = Lists(trail)
        lists.list()
        lists.staging.write_load_record(lists.window, LoadRecord("", datetime.now(UTC)))
        assert lists.list().is_new


@pytest.mark.promise("proven-by-aws")
@pytest.mark.parametrize("left", [None, "notes.txt"])
def test_a_trail_that_is_known_to_be_signed_has_a_gap_without_its_digests(left: str | None) -> None:
    """Also if somebody leaves another object in their folder."""
    with local_trail() as trail:
        lists = Lists(trail, SETTINGS)
        for key in [key for key in trail.objects.objects if "CloudTrail-Digest" in key]:
            trail.objects.delete(key)
        if left is not None:
            region = lists.asked.region
            folder = region.root.region_folder(region.account, "CloudTrail-Digest", region.region)
            trail.objects.put(folder + left, b"", {})
        lists.list()
        assert lists.manifest.proof is ProofStatus.GAP
