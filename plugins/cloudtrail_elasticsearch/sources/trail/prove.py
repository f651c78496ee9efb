"""Lists a window and proves the list by AWS's digests: the manifest of a trail's window."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Final

from cloudtrail_elasticsearch.core.coverage.findings import Finding, FindingKind, ProofStatus
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.sources.trail.bucket import TrailBucket
from cloudtrail_elasticsearch.sources.trail.chain import ChainProof, prove_window
from cloudtrail_elasticsearch.sources.trail.layout import LogFileKey, TrailName
from cloudtrail_elasticsearch.sources.trail.listing import (
    RegionFolders,
    WindowListing,
    has_digest,
    list_log_files,
)
from cloudtrail_elasticsearch.sources.trail.signatures import PublicKeys
from cloudtrail_elasticsearch.sources.trail.verdict import FileCheck, WindowVerdict
from cloudtrail_elasticsearch.sources.trail.window_digests import DigestStore, NoDigests
from cloudtrail_elasticsearch.staging import Standing, TrailFile, TrailManifest, TrailStaging

REACH: Final = timedelta(days=2)
"""The time around a window in which further digests are read if a log file is in none of the window's digests.

CloudTrail retries a failed delivery for 30 days, and a later digest lists such a log file (ADR-0017).
"""


@dataclass(frozen=True, slots=True)
class Prover:
    """How windows are proven.

    :param keys: the public keys of CloudTrail
    :param expected: trails that are known to validate log files: without digests of them, a window has a gap
    :param reach: the time around a window in which digests of late log files are searched
    """

    keys: PublicKeys
    expected: Collection[TrailName] = ()
    reach: timedelta = REACH


def list_window(
    bucket: TrailBucket, region: RegionFolders, window: Window, prover: Prover | None
) -> TrailManifest:
    """List the log files that were delivered in a window of a day, and prove the list by AWS's digests.

    The status of the manifest assumes that every log file has the hash that a digest lists; the reader of the log
    files checks it.

    :param prover: None: read no digests, and prove nothing
    :raises LoaderError: S3 or CloudTrail cannot be asked
    """
    now = datetime.now(UTC)
    if prover is None:
        listing = list_log_files(bucket, region, window)
        files = [TrailFile(file.key, file.size, file.etag, None) for file in listing.files]
        return _make_manifest(bucket, window, region, files, None, _report_misnamed(listing), 0, now)
    return _prove(bucket, region, window, prover, now)


def _prove(
    bucket: TrailBucket, region: RegionFolders, window: Window, prover: Prover, now: datetime
) -> TrailManifest:
    # A region without digests costs one listing instead of one for each day.
    store: DigestStore = bucket if region.has_digests or has_digest(bucket, region) else NoDigests(bucket.bucket)
    for reach in (timedelta(0), prover.reach):
        # Before the log files, so that a file that a digest lists is in the listing unless somebody removed it.
        proof = prove_window(
            store, prover.keys, region.root, window, now=now, expected=prover.expected, reach=reach
        )
        if region.selected:
            proof = _select_kinds(proof, region)
        listing = list_log_files(bucket, region, window)
        verdict = _check_listing(listing, proof)
        # Further digests cost many requests, and few windows have late log files.
        if not any(finding.kind is FindingKind.UNLISTED_FILE for finding in verdict.findings):
            break
    files = [
        TrailFile(file.key, file.size, file.etag, listed.sha256 if (listed := proof.files.get(file.key)) else None)
        for file in listing.files
    ]
    return _make_manifest(bucket, window, region, files, verdict.status, verdict.findings, proof.digests, now)


def _select_kinds(proof: ChainProof, region: RegionFolders) -> ChainProof:
    """Return the proof without the log files of kinds that are not wanted."""
    wanted = {
        key: listed
        for key, listed in proof.files.items()
        if isinstance(name := region.root.parse_key(key), LogFileKey) and name.kind in region.selected
    }
    return replace(proof, files=wanted)


def _check_listing(listing: WindowListing, proof: ChainProof) -> WindowVerdict:
    """Return the verdict for the case that every listed log file has the hash that a digest lists."""
    check = FileCheck(proof)
    for file in listing.files:
        listed = proof.files.get(file.key)
        check.add_file(file.name, None if listed is None else listed.sha256)
    for misnamed in listing.misnamed:
        check.add_misnamed(misnamed)
    return check.finish()


def keep_manifest(
    manifest: TrailManifest, staging: TrailStaging, standing: Standing[TrailManifest] | None = None
) -> TrailManifest:
    """Write a manifest into the staging bucket, and return the one that is there then.

    A manifest with the same log files and the same proof stays, so that a window that is listed again without a
    change needs no new load. If another attempt writes a manifest at the same time, that one is returned.

    :param standing: the object under the manifest's key, if it was read before the listing
    :raises LoaderError: S3 cannot be asked
    """
    standing = standing or staging.standing(manifest.window)
    known = standing.manifest
    if known is not None and replace(known, listed_at=manifest.listed_at) == manifest:
        return known
    if staging.publish(manifest, standing):
        return manifest
    return staging.manifest(manifest.window) or manifest


def _make_manifest(
    bucket: TrailBucket,
    window: Window,
    region: RegionFolders,
    files: Iterable[TrailFile],
    status: ProofStatus | None,
    findings: Iterable[Finding],
    digests: int,
    now: datetime,
) -> TrailManifest:
    return TrailManifest(
        window=window,
        bucket=bucket.bucket,
        root=region.root.folder,
        kinds=tuple(sorted(region.selected)),
        files=tuple(files),
        proof=status,
        findings=tuple(findings),
        digests=digests,
        listed_at=now,
    )


def _report_misnamed(listing: WindowListing) -> list[Finding]:
    return [Finding(FindingKind.MISNAMED, each.key, each.reason) for each in listing.misnamed]
