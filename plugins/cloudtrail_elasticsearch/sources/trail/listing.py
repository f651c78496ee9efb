"""Lists a trail's bucket: organizations, accounts, kinds of event, regions, days, and the log files of a window.

Everything is found by listing, so a new account, region or kind of event is loaded without a change. Nothing is
inferred from the order of a listing.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.coverage.windows import DAY, Window, midnight
from cloudtrail_elasticsearch.core.errors import ConfigurationError
from cloudtrail_elasticsearch.core.side_by_side import run_side_by_side
from cloudtrail_elasticsearch.sources.trail.bucket import TrailBucket
from cloudtrail_elasticsearch.sources.trail.layout import (
    DIGEST_KIND,
    DigestKey,
    LogFileKey,
    MisnamedKey,
    TrailRoot,
    is_region,
)

PARALLEL: Final = 32
"""Listings at once.

A day of 500 accounts and 17 regions takes 1 + 500 + 500 calls to find the regions of one kind of event, and 8,500
to list them. At 30 ms a call, that is 285 s one after another, and about 15 s of processor time (ADR-0018).
"""

_ACCOUNT: Final = re.compile(r"\d{12}", re.ASCII).fullmatch
_ORGANIZATION: Final = re.compile(r"o-[a-z0-9]{10,32}", re.ASCII).fullmatch
"""https://docs.aws.amazon.com/organizations/latest/APIReference/API_Organization.html"""

_YEAR: Final = re.compile(r"20\d\d", re.ASCII).fullmatch
_TWO_DIGITS: Final = re.compile(r"\d\d", re.ASCII).fullmatch

_KIND: Final = "CloudTrail"
_LOGS: Final = "AWSLogs"


@dataclass(frozen=True, slots=True)
class LogFile:
    """A log file in a listing."""

    name: LogFileKey
    size: int
    """In bytes, packed."""
    etag: str

    @property
    def key(self) -> str:
        """Its key."""
        return self.name.key


@dataclass(frozen=True, slots=True)
class RegionFolders:
    """The kinds of event that a region of an account has folders of; the digests are not one of them."""

    root: TrailRoot
    account: str
    region: str
    kinds: tuple[str, ...]
    has_digests: bool
    selected: tuple[str, ...] = ()
    """The kinds that are wanted, whether they have folders or not; empty for all."""

    def window(self, day: date) -> Window:
        """Return the region's window of a day of delivery."""
        return Window(self.account, self.region, midnight(day), midnight(day + DAY), Source.TRAIL)


@dataclass(frozen=True, slots=True)
class WindowListing:
    """The log files of a window, sorted by key, and the objects with other names in its folders."""

    root: TrailRoot
    window: Window
    files: tuple[LogFile, ...]
    misnamed: tuple[MisnamedKey, ...]

    @property
    def bytes(self) -> int:
        """The size of its log files, packed."""
        return sum(file.size for file in self.files)


@dataclass(frozen=True, slots=True)
class Selection:
    """Which accounts, regions and kinds of event are wanted; an empty one stands for all."""

    accounts: Collection[str] = ()
    """An account with a minus before its id is left out, such as one that left the organization."""
    regions: Collection[str] = ()
    kinds: Collection[str] = ()

    @property
    def wanted_accounts(self) -> set[str]:
        """The accounts without a minus; empty for all."""
        return {name for name in self.accounts if not name.startswith("-")}

    def wants_account(self, account: str) -> bool:
        """Return whether an account is wanted."""
        wanted = self.wanted_accounts
        return f"-{account}" not in self.accounts and (not wanted or account in wanted)


EVERYTHING: Final = Selection()


def find_roots(bucket: TrailBucket, prefix: str = "") -> list[TrailRoot]:
    """Return the roots below a prefix: the one of a trail of single accounts, and one of each organization.

    :param prefix: the trail's S3 key prefix; it may end with ``AWSLogs``, and with the organization's id after it
    :raises ConfigurationError: there are no log files below the prefix
    """
    head, organization = _split_prefix(bucket, prefix)
    root = TrailRoot(head)
    names = _list_names(bucket, root.folder)
    roots = [TrailRoot(head, name) for name in names if _ORGANIZATION(name)]
    if organization is not None:
        roots = [each for each in roots if each.organization == organization]
    elif any(map(_ACCOUNT, names)):
        roots.insert(0, root)
    if not roots:
        raise ConfigurationError(
            f"There are no log files below {bucket.uri(root.folder)}: give the trail's bucket, and the prefix "
            f"that the trail is configured with (aws cloudtrail describe-trails shows both)."
        )
    return roots


def find_top_folder(prefix: str) -> str:
    """Return the folder that has all log files below a prefix, as `find_roots` takes it, such as ``AWSLogs/``."""
    parts = [part for part in prefix.split("/") if part]
    return "/".join(parts if _LOGS in parts else [*parts, _LOGS]) + "/"


def _split_prefix(bucket: TrailBucket, prefix: str) -> tuple[str, str | None]:
    """Return the trail's own prefix, and the organization if the prefix names one."""
    parts = prefix.strip("/").split("/")
    if _LOGS not in parts:
        return "/".join(parts), None
    at = parts.index(_LOGS)
    after = parts[at + 1 :]
    if len(after) > 1 or (after and not _ORGANIZATION(after[0])):
        raise ConfigurationError(
            f"{bucket.uri(prefix)} is inside of a trail's folders. Give the bucket and the trail's own prefix, "
            f"and choose accounts, regions and days with their options."
        )
    return "/".join(parts[:at]), after[0] if after else None


def find_regions(
    bucket: TrailBucket, roots: Iterable[TrailRoot], selection: Selection = EVERYTHING, parallel: int = PARALLEL
) -> list[RegionFolders]:
    """Return the regions of every account, sorted by account and region.

    It takes one call for each root, one for each account, and one for each kind of an account.

    :raises LoaderError: S3 cannot be asked
    """
    accounts = [
        (root, name)
        for root in roots
        for name in _list_names(bucket, root.folder)
        if _ACCOUNT(name) and selection.wants_account(name)
    ]
    found: dict[tuple[TrailRoot, str, str], set[str]] = {}

    def list_kinds(asked: tuple[TrailRoot, str]) -> list[tuple[TrailRoot, str, str]]:
        root, account = asked
        return [
            (root, account, kind)
            for kind in _list_names(bucket, root.account_folder(account), _KIND)
            if kind == DIGEST_KIND or not selection.kinds or kind in selection.kinds
        ]

    def list_regions(asked: tuple[TrailRoot, str, str]) -> list[tuple[TrailRoot, str, str, str]]:
        root, account, kind = asked
        names = _list_names(bucket, root.kind_folder(account, kind))
        # Others store results of queries beside the regions, for example.
        return [(root, account, kind, name) for name in names if is_region(name)]

    kinds = [each for some in run_side_by_side(list_kinds, accounts, parallel) for each in some]
    for some in run_side_by_side(list_regions, kinds, parallel):
        for root, account, kind, region in some:
            if not selection.regions or region in selection.regions:
                found.setdefault((root, account, region), set()).add(kind)
    return [
        RegionFolders(
            root,
            account,
            region,
            tuple(sorted(named - {DIGEST_KIND})),
            DIGEST_KIND in named,
            tuple(sorted(selection.kinds)),
        )
        for (root, account, region), named in sorted(
            found.items(), key=lambda item: (item[0][1], item[0][2], item[0][0].folder)
        )
    ]


def _list_names(bucket: TrailBucket, folder: str, beginning: str = "") -> list[str]:
    """Return the names of the folders directly below a folder that begin with a text."""
    return [found[len(folder) : -1] for found in bucket.list_folders(folder + beginning)]


def find_first_day(bucket: TrailBucket, regions: Iterable[RegionFolders], parallel: int = PARALLEL) -> date | None:
    """Return the first day of delivery in any of these regions, digests included; None if there is none."""
    days = run_side_by_side(lambda region: _find_first_day_of(bucket, region), regions, parallel)
    return min((day for day in days if day is not None), default=None)


def _find_first_day_of(bucket: TrailBucket, region: RegionFolders) -> date | None:
    kinds = [*region.kinds, *([DIGEST_KIND] if region.has_digests else [])]
    days = [
        day
        for kind in kinds
        if (day := _find_first_day(bucket, region.root.region_folder(region.account, kind, region.region)))
    ]
    return min(days, default=None)


def _find_first_day(bucket: TrailBucket, folder: str) -> date | None:
    """Return the first day below a region's folder; folders of others, such as ``0/``, are no years."""
    for year in _list_numbers(bucket, folder, _YEAR):
        for month in _list_numbers(bucket, f"{folder}{year}/", _TWO_DIGITS):
            for day in _list_numbers(bucket, f"{folder}{year}/{month}/", _TWO_DIGITS):
                with contextlib.suppress(ValueError):
                    return date(int(year), int(month), int(day))
    return None


def _list_numbers(bucket: TrailBucket, folder: str, fits: Callable[[str], object]) -> list[str]:
    return sorted(name for name in _list_names(bucket, folder) if fits(name))


def has_digest(bucket: TrailBucket, region: RegionFolders) -> bool:
    """Return whether a region has a digest of any time, and not only other objects in its folder.

    :raises LoaderError: S3 cannot be asked
    """
    folder = region.root.region_folder(region.account, DIGEST_KIND, region.region)
    return any(isinstance(region.root.parse_key(key), DigestKey) for key in bucket.list_keys(folder))


def list_log_files(bucket: TrailBucket, region: RegionFolders, window: Window) -> WindowListing:
    """Return the log files that were delivered in a window of a day, of every kind that the region has.

    The objects with other names are returned with the window that begins the day.

    :raises LoaderError: S3 cannot be asked
    """
    files: list[LogFile] = []
    misnamed: list[MisnamedKey] = []
    for prefix in _list_prefixes(region, window):
        for page in bucket.list_pages(prefix):
            for listed in page.objects:
                name = region.root.parse_key(listed.key)
                if isinstance(name, LogFileKey):
                    if window.start <= name.delivered < window.end:
                        files.append(LogFile(name, listed.size, listed.etag))
                elif isinstance(name, MisnamedKey):
                    misnamed.append(name)
    files.sort(key=lambda file: file.key)
    misnamed.sort(key=lambda each: each.key)
    return WindowListing(region.root, window, tuple(files), tuple(misnamed))


def _list_prefixes(region: RegionFolders, window: Window) -> Iterator[str]:
    """Yield prefixes that have every log file of the window."""
    for kind in region.kinds:
        folder = region.root.day_folder(region.account, kind, region.region, window.start.date())
        if window.start.time() == datetime.min.time():
            yield folder
            continue
        # `parse_key` takes only names that begin so, and the time of delivery is that of the name.
        hour = window.start.replace(minute=0, second=0)
        while hour < window.end:
            yield f"{folder}{region.account}_{kind}_{region.region}_{hour:%Y%m%dT%H}"
            hour += timedelta(hours=1)


def list_many_windows(
    bucket: TrailBucket, asked: Iterable[tuple[RegionFolders, Window]], parallel: int = PARALLEL
) -> Iterator[WindowListing]:
    """Yield the listings of many windows, in the order in which S3 answers; about `parallel` are in memory.

    :raises LoaderError: S3 cannot be asked
    """
    yield from run_side_by_side(lambda each: list_log_files(bucket, *each), asked, parallel)
