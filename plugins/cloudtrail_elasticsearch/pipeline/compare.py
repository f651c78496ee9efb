"""Compares the days that both sources have loaded: the ledger's LookupEvents cells with a trail's log files."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, Final

from cloudtrail_elasticsearch.core.coverage.cells import State
from cloudtrail_elasticsearch.core.coverage.compare import Comparison, choose_deliveries, compare_sources
from cloudtrail_elasticsearch.core.coverage.ledger import Ledger, query_source
from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.coverage.windows import DAY, Window
from cloudtrail_elasticsearch.core.errors import FileError, StagingError
from cloudtrail_elasticsearch.pipeline.staged_parts import StagedParts
from cloudtrail_elasticsearch.sources.trail.bucket import TrailBucket
from cloudtrail_elasticsearch.sources.trail.listing import RegionFolders, list_log_files
from cloudtrail_elasticsearch.sources.trail.log_file import LogFileContent
from cloudtrail_elasticsearch.sources.trail.read_ahead import ReadAhead
from cloudtrail_elasticsearch.staging import Staging, TrailFile

MANAGEMENT_KIND: Final = "CloudTrail"
"""The folder of the log files with management events; they have data events, too.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-find-log-files.html
"""

_LOADED: Final = frozenset({State.COMPLETE, State.QUIET, State.QUARANTINED})


def find_windows_to_compare(ledger: Ledger, days: Iterable[date], accounts: Iterable[str]) -> list[Window]:
    """Return the LookupEvents windows that a trail's deliveries of these days can be compared with.

    A window is returned if both sources have loaded it, and if one of them was staged or listed after its newest
    comparison. The events of a day are delivered on that day and on the next, so a delivery concerns two windows.

    :param days: days of delivery
    :param accounts: the accounts of the trail
    """
    delivered = set(days)
    wanted = delivered | {day - DAY for day in delivered}
    looked_up = [
        cell
        for cell in _read_cells(ledger, Source.LOOKUP_EVENTS, wanted, set(accounts))
        if cell.get("state") in _LOADED
    ]
    if not looked_up:
        return []
    deliveries = {
        Window.from_dict(cell): _read_time(cell.get("staged_at"))
        for cell in _read_cells(
            ledger,
            Source.TRAIL,
            {each.start.date() for cell in looked_up for each in choose_deliveries(Window.from_dict(cell))},
            {cell["account"] for cell in looked_up},
        )
        if cell.get("state") in _LOADED
    }
    return [Window.from_dict(cell) for cell in looked_up if _is_outdated(cell, deliveries)]


def compare_window(window: Window, staging: Staging, bucket: TrailBucket, region: RegionFolders) -> Comparison:
    """Compare the staged events of a LookupEvents window with the log files that the trail delivered for it.

    The log files are listed again, so that late ones count too. Each is read once, in bounded memory.

    :param region: the trail's folders of the window's account and region
    :raises StagingError: the window is not staged, or a part differs from its manifest
    :raises FileError: a log file cannot be read, so that the comparison would not be exact
    :raises LoaderError: S3 cannot be asked
    """
    manifest = staging.manifest(window)
    if manifest is None:
        raise StagingError(f"{window.name} is not staged in {staging.uri(window)}.")
    deliveries = choose_deliveries(window)
    looked_up = StagedParts(manifest, staging).read_lines()
    return compare_sources(window, looked_up, _read_events(bucket, region, deliveries), deliveries)


def _read_cells(
    ledger: Ledger, source: Source, days: Iterable[date], accounts: Iterable[str]
) -> Iterator[dict[str, Any]]:
    wanted = [{"terms": {"day": sorted(map(str, days))}}, {"terms": {"account": sorted(accounts)}}]
    return ledger.read_cells({"bool": {"filter": [*wanted, query_source(source)]}})


def _is_outdated(cell: Mapping[str, Any], deliveries: Mapping[Window, datetime | None]) -> bool:
    """Return whether both sources have loaded a window, and one of them did so after its newest comparison."""
    needed = choose_deliveries(Window.from_dict(dict(cell)))
    if any(each not in deliveries for each in needed):
        return False
    compared = _read_time((cell.get("comparison") or {}).get("compared_at"))
    staged = [_read_time(cell.get("staged_at")), *(deliveries[each] for each in needed)]
    return compared is None or any(time is not None and time > compared for time in staged)


def _read_events(bucket: TrailBucket, region: RegionFolders, deliveries: Sequence[Window]) -> Iterator[bytes]:
    # Of this kind only, whichever kinds a run selected; it may have no folder yet.
    folders = replace(region, kinds=(MANAGEMENT_KIND,))
    for window in deliveries:
        listed = list_log_files(bucket, folders, window).files
        files = [TrailFile(file.key, file.size, file.etag, None) for file in listed]
        for read in ReadAhead(bucket).read(files):
            if read.found is None:
                raise FileError(f"{read.file.key}: {read.denial or 'it was deleted after it was listed'}")
            content = LogFileContent(read.file.key, read.found.body)
            yield from content.lines()
            if content.problem is not None:
                raise FileError(f"{read.file.key}: {content.problem}")


def _read_time(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None
