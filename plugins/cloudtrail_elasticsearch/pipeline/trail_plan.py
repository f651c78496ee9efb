"""Plans the days of a trail: the accounts, regions and kinds of event in its bucket, in batches for tasks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import groupby
from typing import Any

import msgspec

from cloudtrail_elasticsearch.core.coverage.batches import Batch, Size, plan_batches
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.encoding import typed
from cloudtrail_elasticsearch.core.errors import PlanError, StagingError
from cloudtrail_elasticsearch.sources.trail.bucket import TrailBucket
from cloudtrail_elasticsearch.sources.trail.layout import TrailName, TrailRoot
from cloudtrail_elasticsearch.sources.trail.listing import RegionFolders, Selection, find_regions, find_roots
from cloudtrail_elasticsearch.sources.trail.settings import TrailSettings
from cloudtrail_elasticsearch.sources.trail.sizes import measure_days
from cloudtrail_elasticsearch.staging import TrailPlans


@dataclass(frozen=True, slots=True)
class BatchWindow:
    """A window, or a part of one, and the folders that have its log files."""

    region: RegionFolders
    window: Window


@dataclass(frozen=True, slots=True)
class PlannedPiece:
    """Some hours of a region's day: the region's position in the plan, and the hours (24 is the day's end)."""

    region: int
    first_hour: int
    end_hour: int


@dataclass(frozen=True, slots=True)
class PlannedBatch:
    """The pieces of one task, and the size of their log files when they were planned."""

    name: str
    pieces: tuple[PlannedPiece, ...]
    files: int
    bytes: int


@dataclass(frozen=True, slots=True)
class DayPlan:
    """The batches of one day of delivery."""

    day: date
    bucket: str
    trail: TrailName | None
    """The trail, if it is known and validates log files in every region of the plan."""
    kinds: tuple[str, ...]
    """The kinds of event that were selected; empty: all."""
    is_whole: bool
    """Whether the plan has every region and kind of its accounts."""
    regions: tuple[RegionFolders, ...]
    batches: tuple[PlannedBatch, ...]

    @property
    def folder(self) -> str:
        """A folder of the bucket that has log files of the plan."""
        return self.regions[0].root.folder

    def encode(self) -> bytes:
        """Return its JSON."""
        return msgspec.json.encode(self)

    @classmethod
    def decode(cls, body: bytes) -> DayPlan:
        """Read the JSON that `encode` wrote.

        :raises msgspec.MsgspecError: it is not a plan
        """
        return typed.decode(body, cls)

    def windows(self, number: int) -> list[BatchWindow]:
        """Return the windows of a batch."""
        return [self._make_window(piece) for piece in self.batches[number].pieces]

    def list_regions(self) -> dict[str, list[str]]:
        """Return the regions of each account."""
        by_account = groupby(self.regions, key=lambda each: each.account)
        return {account: [each.region for each in regions] for account, regions in by_account}

    def _make_window(self, piece: PlannedPiece) -> BatchWindow:
        region = self.regions[piece.region]
        day = region.window(self.day)
        start, end = (day.start + timedelta(hours=hour) for hour in (piece.first_hour, piece.end_hour))
        return BatchWindow(region, Window(day.account, day.region, start, end, day.source))


@dataclass(frozen=True, slots=True)
class TrailBatch:
    """One batch of a stored plan, as Airflow's tasks pass it on."""

    name: str
    day: str
    plan: str
    """The key of the plan in the staging bucket."""
    number: int
    windows: int
    files: int
    bytes: int

    @property
    def identity(self) -> dict[str, Any]:
        """The plan and the number: the results of a batch's tasks have them, so that no other batch takes them."""
        return {"plan": self.plan, "number": self.number}

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for an XCom; `from_dict` reads them back."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> TrailBatch:
        """Return the batch of the values that `to_dict` returned."""
        return typed.convert(value, cls)


def plan_days(
    bucket: TrailBucket,
    prefix: str,
    days: Iterable[date],
    tasks: int,
    selection: Selection,
    settings: TrailSettings | None = None,
) -> Iterator[DayPlan]:
    """Yield the plan of each day. Accounts, regions and kinds of event are found by listing the bucket.

    :param prefix: the trail's key prefix
    :param tasks: the most batches of a day
    :param settings: the trail's settings, if it was given by its ARN
    :raises PlanError: a selected account, region or kind is not in the bucket, or there is none at all
    :raises LoaderError: S3 cannot be asked
    """
    regions = find_selected_regions(bucket, prefix, selection, settings)
    is_signed = settings is not None and settings.is_validated and settings.is_multi_region
    trail = settings.trail if settings is not None and is_signed else None
    for day in days:
        sizes = dict(measure_days(bucket, ((region, region.window(day)) for region in regions)))
        # S3 answers in any order, but equal listings must give equal plans.
        batches = plan_batches([sizes[region] for region in regions], tasks)
        yield DayPlan(
            day=day,
            bucket=bucket.bucket,
            trail=trail,
            kinds=tuple(sorted(selection.kinds)),
            is_whole=not selection.kinds and not selection.regions,
            regions=tuple(regions),
            batches=tuple(map(_describe_batch, batches)),
        )


def find_selected_regions(
    bucket: TrailBucket, prefix: str, selection: Selection, settings: TrailSettings | None = None
) -> list[RegionFolders]:
    """Return the regions of a trail that are selected, found by listing the bucket.

    :param prefix: the trail's key prefix
    :param settings: the trail's settings, if it was given by its ARN
    :raises PlanError: a selected account, region or kind is not in the bucket, or there is none at all
    :raises LoaderError: S3 cannot be asked
    """
    regions = find_regions(bucket, _choose_roots(find_roots(bucket, prefix), settings), selection)
    _check_regions(bucket, regions, selection)
    return regions


def store_plan(plan: DayPlan, plans: TrailPlans) -> list[TrailBatch]:
    """Write a plan into the staging bucket, and return its batches."""
    key = plans.write(plan.bucket, plan.day, plan.encode())
    return [
        TrailBatch(batch.name, str(plan.day), key, number, len(batch.pieces), batch.files, batch.bytes)
        for number, batch in enumerate(plan.batches)
    ]


def read_plan(plans: TrailPlans, key: str) -> DayPlan:
    """Return a stored plan.

    :raises StagingError: it is missing, altered, or of another version
    """
    try:
        return DayPlan.decode(plans.read(key))
    except msgspec.MsgspecError as error:
        raise StagingError(f"The plan {key} is of another version ({error}): clear the plan task.") from error


def _choose_roots(roots: Sequence[TrailRoot], settings: TrailSettings | None) -> Sequence[TrailRoot]:
    if settings is None:
        return roots
    chosen = [root for root in roots if (root.organization is not None) == settings.is_of_organization]
    if not chosen:
        raise PlanError(
            f"The trail {settings.trail.name} has delivered nothing to {settings.bucket} yet: there is no folder "
            f"of {'an organization' if settings.is_of_organization else 'an account'} below its prefix."
        )
    return chosen


def _check_regions(bucket: TrailBucket, regions: Sequence[RegionFolders], selection: Selection) -> None:
    found: dict[str, tuple[Iterable[str], Callable[[RegionFolders], Iterable[str]]]] = {
        "accounts": (selection.wanted_accounts, lambda region: [region.account]),
        "regions": (selection.regions, lambda region: [region.region]),
        "kinds": (selection.kinds, lambda region: region.kinds),
    }
    for name, (wanted, list_names) in found.items():
        known = {each for region in regions for each in list_names(region)}
        unknown = sorted(set(wanted) - known)
        if unknown:
            raise PlanError(f"The bucket {bucket.bucket} has no log files of these {name}: {', '.join(unknown)}.")
    if not regions:
        raise PlanError(f"The bucket {bucket.bucket} has no log files of any account below this prefix.")
    first: dict[tuple[str, str], TrailRoot] = {}
    for region in regions:
        if first.setdefault((region.account, region.region), region.root) != region.root:
            raise PlanError(
                f"The bucket {bucket.bucket} has log files of account {region.account} both of a trail of its own "
                f"and of an organization's trail. Give the ARN of the trail to load, or the organization's folder "
                f"as the prefix (AWSLogs/o-…)."
            )


def _describe_batch(batch: Batch) -> PlannedBatch:
    total = sum((piece.size for piece in batch.pieces), Size())
    pieces = tuple(_describe_piece(piece.of, piece.window) for piece in batch.pieces)
    return PlannedBatch(batch.name, pieces, total.files, total.bytes)


def _describe_piece(region: int, window: Window) -> PlannedPiece:
    first = window.start.hour
    return PlannedPiece(region, first, first + window.length // timedelta(hours=1))
