"""The commands for a trail's bucket: ``load s3://…`` and ``verify-trail``, without Airflow."""

from __future__ import annotations

import argparse
import sys
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

from cloudtrail_elasticsearch.cli_progress import LoadProgress
from cloudtrail_elasticsearch.core.coverage.findings import Finding, FindingKind, ProofStatus
from cloudtrail_elasticsearch.core.coverage.windows import DAY, Window, parse_day
from cloudtrail_elasticsearch.core.errors import ConfigurationError, LoaderError, PlanError
from cloudtrail_elasticsearch.core.loading.loader import Loader
from cloudtrail_elasticsearch.core.loading.report import LoadReport
from cloudtrail_elasticsearch.core.log_text import safe_text
from cloudtrail_elasticsearch.core.side_by_side import run_side_by_side
from cloudtrail_elasticsearch.pipeline.trail import LoadedWindow, load_window_once, verify_window
from cloudtrail_elasticsearch.sources.trail.bucket import TrailBucket, open_bucket
from cloudtrail_elasticsearch.sources.trail.listing import (
    RegionFolders,
    Selection,
    find_first_day,
    find_regions,
    find_roots,
    find_top_folder,
)
from cloudtrail_elasticsearch.sources.trail.prove import Prover, list_window
from cloudtrail_elasticsearch.sources.trail.read_ahead import AheadSettings
from cloudtrail_elasticsearch.sources.trail.signatures import FetchedKeys
from cloudtrail_elasticsearch.staging import TrailManifest

S3: Final = "s3://"

_SIDE_BY_SIDE: Final = 16
"""Windows that are listed and proven at once: a quiet one waits for S3 all the time."""

_LOADS: Final = 2
"""Windows that are loaded at once; each reads ahead and sends bulk requests."""

_VERIFYING: Final = AheadSettings(files=8, bytes=8 * 1024 * 1024)
"""The bounds of each of the windows that are verified side by side."""


@dataclass(frozen=True, slots=True)
class TrailPlan:
    """The windows that a command works on."""

    bucket: TrailBucket
    regions: list[RegionFolders]
    days: list[date]
    prover: Prover | None

    def list_all(self) -> Iterator[tuple[RegionFolders, date]]:
        """Yield the regions and days of all windows, the oldest day first."""
        for day in self.days:
            for region in self.regions:
                yield region, day

    def list_window(self, region: RegionFolders, day: date) -> TrailManifest:
        """List and prove one window.

        :raises LoaderError: S3 or CloudTrail cannot be asked
        """
        return list_window(self.bucket, region, region.window(day), self.prover)


def add_trail_options(parser: argparse.ArgumentParser) -> None:
    """Add the options that choose windows of a trail."""
    options = parser.add_argument_group("a trail's bucket (s3://BUCKET)")
    for name, place, about in (
        ("--from", "first", "the first day of delivery (default: the oldest)"),
        ("--to", "last", "the last day of delivery (default: yesterday, in UTC)"),
    ):
        options.add_argument(name, dest=place, metavar="DAY", help=about)
    for name, about in (
        ("account", "account id, or all others if it begins with -"),
        ("region", "region"),
        ("kind", "kind of event: a folder name such as CloudTrail"),
    ):
        options.add_argument(
            f"--{name}",
            action="append",
            default=[],
            metavar=name.upper(),
            help=f"only this {about}; can be repeated",
        )
    options.add_argument(
        "--home-region",
        metavar="REGION",
        help="the region to fetch CloudTrail's public keys from (default: the region of each digest)",
    )


def check_no_trail_options(arguments: argparse.Namespace) -> None:
    """Check that no option for a trail's bucket was given.

    :raises ConfigurationError: one was, and it would have no effect
    """
    given = (arguments.first, arguments.last, arguments.account, arguments.region, arguments.kind)
    if any(given) or arguments.home_region or arguments.verify_digests:
        raise ConfigurationError(
            "The options of a trail's bucket need s3://BUCKET as the only FILE: all events of a file are loaded."
        )


def make_plan(arguments: argparse.Namespace, uri: str, prefix: str, is_proving: bool) -> TrailPlan:
    """Find the windows of a trail's bucket.

    :raises ConfigurationError: the bucket, the prefix or an option is wrong
    :raises LoaderError: S3 cannot be asked
    """
    import boto3

    name, _, path = uri.removeprefix(S3).partition("/")
    if not uri.startswith(S3) or not name or (path.strip("/") and prefix):
        raise ConfigurationError(f"{uri} is not the address of a bucket: write s3://BUCKET or s3://BUCKET/PREFIX.")
    first = parse_day(arguments.first, "--from") if arguments.first else None
    last = parse_day(arguments.last, "--to") if arguments.last else datetime.now(UTC).date() - DAY
    session = boto3.Session()
    # The bucket's policy may allow listing below AWSLogs only.
    bucket = open_bucket(session, name, find_top_folder(prefix or path))
    selection = Selection(arguments.account, arguments.region, arguments.kind)
    regions = find_regions(bucket, find_roots(bucket, prefix or path), selection)
    if not regions:
        raise PlanError(f"{uri} has no log files of the chosen accounts and regions.")
    first = first or find_first_day(bucket, regions) or last
    if last < first:
        raise PlanError(f"There are no days to read: the first is {first}, and the last is {last}.")
    days = [first + DAY * number for number in range((last - first).days + 1)]

    def make_client(region: str) -> Any:
        return session.client("cloudtrail", region_name=arguments.home_region or region)

    prover = Prover(FetchedKeys(make_client)) if is_proving else None
    return TrailPlan(bucket, regions, days, prover)


class TrailLoad:
    """The command ``load s3://…``."""

    def __init__(self, plan: TrailPlan) -> None:
        self._plan = plan
        self._lock = threading.Lock()
        self._loads = threading.Semaphore(_LOADS)
        self._events = self._bytes = 0
        self._windows: list[dict[str, Any]] = []
        self.status = 0
        """The exit status: 1 if a window is not complete."""

    def run(self, loader: Loader) -> LoadReport:
        """Load all windows and return the outcomes of their events; a failed window does not stop the others."""
        total = LoadReport()
        with LoadProgress(sys.stderr, None) as progress:

            def show(events: int, read: int) -> None:
                with self._lock:
                    self._events += events
                    self._bytes += read
                    progress.show(self._events, self._bytes)

            def load(asked: tuple[RegionFolders, date]) -> tuple[Window, TrailManifest | None, Any]:
                region, day = asked
                try:
                    manifest = self._plan.list_window(region, day)
                    with self._loads:
                        return (
                            manifest.window,
                            manifest,
                            load_window_once(manifest, self._plan.bucket, loader, show),
                        )
                except LoaderError as error:
                    return region.window(day), None, error

            for window, manifest, outcome in run_side_by_side(load, self._plan.list_all(), _SIDE_BY_SIDE):
                if isinstance(outcome, LoadedWindow):
                    total.add(outcome.sent)
                self._windows.append(_describe_load(window, manifest, outcome))
        self._windows.sort(key=lambda each: (each["day"], each["account"], each["region"]))
        self.status = int(any(each["problem"] for each in self._windows))
        return total

    def as_json(self) -> dict[str, Any]:
        """Return the report of each window, and the numbers of windows by the status of their proof."""
        proofs = Counter(each["proof"] or "not verified" for each in self._windows)
        return {"proofs": dict(sorted(proofs.items())), "windows": self._windows}


def _describe_load(
    window: Window, manifest: TrailManifest | None, outcome: LoadedWindow | LoaderError
) -> dict[str, Any]:
    about = {"account": window.account, "region": window.region, "day": f"{window.start:%Y-%m-%d}"}
    if isinstance(outcome, LoaderError) or manifest is None:
        return about | {"files": 0, "proof": None, "findings": [], "problem": str(outcome)}
    cell = outcome.cell
    return about | {
        "files": len(manifest.files),
        "bytes": manifest.bytes,
        "read": cell.looked_up,
        "indexed": cell.indexed,
        "duplicates": cell.duplicates,
        "quarantined": cell.quarantined,
        "left_out": cell.left_out,
        "left_out_by": cell.left_out_by,
        "proof": outcome.proof,
        "findings": [_describe_finding(each) for each in outcome.findings],
        "problem": cell.problem,
    }


def _describe_finding(finding: Finding) -> dict[str, str]:
    return {"kind": finding.kind, "key": safe_text(finding.key), "reason": finding.reason}


def run_verify_trail(arguments: argparse.Namespace) -> int:
    """Prove a trail's bucket, print a table and every object that is not proven; return the exit status."""
    plan = make_plan(arguments, arguments.bucket, arguments.prefix, is_proving=True)

    def verify(asked: tuple[RegionFolders, date]) -> _Verified | _Failed:
        region, day = asked
        try:
            manifest = plan.list_window(region, day)
            files = verify_window(manifest, plan.bucket, _VERIFYING)
        except LoaderError as error:
            return _Failed(region.window(day), str(error))
        status = files.status
        assert status is not None  # noqa: S101 - a prover was given
        unsigned = [file.key for file in manifest.files if file.sha256 is None]
        return _Verified(manifest.window, len(manifest.files), status, files.findings, unsigned)

    rows: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    is_proven = True
    for found in run_side_by_side(verify, plan.list_all(), _SIDE_BY_SIDE):
        row = rows[found.window.account, found.window.region]
        row["days"] += 1
        if isinstance(found, _Failed):
            row["failed"] += 1
            lines = [f"failed: {found.reason}"]
        else:
            row["files"] += found.files
            row[found.status] += 1
            lines = found.describe(plan.bucket)
        is_proven &= isinstance(found, _Verified) and found.is_proven
        for line in lines:
            window = found.window
            sys.stdout.write(f"{window.account} {window.region} {window.start:%Y-%m-%d}: {line}\n")
    sys.stdout.write("\n".join(_format_table(rows)) + "\n")
    return 0 if is_proven else 1


@dataclass(frozen=True, slots=True)
class _Failed:
    """A window that could not be read."""

    window: Window
    reason: str


@dataclass(frozen=True, slots=True)
class _Verified:
    """A window that was read, with the keys of the log files that no digest lists."""

    window: Window
    files: int
    status: ProofStatus
    findings: tuple[Finding, ...]
    unsigned: list[str]

    @property
    def is_proven(self) -> bool:
        """Whether the window's cell does not fail, and each of its log files is signed."""
        return not self.status.is_failure and not self.unsigned

    def describe(self, bucket: TrailBucket) -> list[str]:
        """Return a line for each finding and for each unsigned log file; none if there is nothing to prove."""
        if self.status is ProofStatus.UNSIGNED and not self.files:
            return []
        named = {finding.key for finding in self.findings if finding.kind is FindingKind.UNLISTED_FILE}
        return [
            *map(str, self.findings),
            *(f"unsigned: {safe_text(bucket.uri(key))}" for key in self.unsigned if key not in named),
        ]


def _format_table(rows: dict[tuple[str, str], Counter[str]]) -> Iterator[str]:
    columns = ("days", "files", *ProofStatus, "failed")
    yield "  ".join(("account     ", "region        ", *(f"{name:>8}" for name in columns)))
    for (account, region), row in sorted(rows.items()):
        yield "  ".join((account, f"{region:14}", *(f"{row[name]:>8}" for name in columns)))
