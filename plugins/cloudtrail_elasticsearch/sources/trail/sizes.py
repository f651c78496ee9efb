"""Measures windows by listing them: the number and the size of their log files by hour of delivery."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cloudtrail_elasticsearch.core.coverage.batches import HOURS, Size, WindowSize
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.side_by_side import run_side_by_side
from cloudtrail_elasticsearch.sources.trail.bucket import TrailBucket
from cloudtrail_elasticsearch.sources.trail.layout import LogFileKey
from cloudtrail_elasticsearch.sources.trail.listing import PARALLEL, RegionFolders


def measure_day(bucket: TrailBucket, region: RegionFolders, day: Window) -> WindowSize:
    """Return the size of one day of a region. No key is kept, so memory does not grow with the day.

    :raises LoaderError: S3 cannot be asked
    """
    files, total = [0] * HOURS, [0] * HOURS
    for kind in region.kinds:
        for page in bucket.list_pages(
            region.root.day_folder(region.account, kind, region.region, day.start.date())
        ):
            for listed in page.objects:
                name = region.root.parse_key(listed.key)
                if isinstance(name, LogFileKey):
                    files[name.delivered.hour] += 1
                    total[name.delivered.hour] += listed.size
    return WindowSize(day, tuple(map(Size, files, total)), region.has_digests)


def measure_days(
    bucket: TrailBucket, asked: Iterable[tuple[RegionFolders, Window]], parallel: int = PARALLEL
) -> Iterator[tuple[RegionFolders, WindowSize]]:
    """Yield the sizes of many days of regions, in the order in which S3 answers.

    :raises LoaderError: S3 cannot be asked
    """

    def measure(each: tuple[RegionFolders, Window]) -> tuple[RegionFolders, WindowSize]:
        return each[0], measure_day(bucket, *each)

    yield from run_side_by_side(measure, asked, parallel)
