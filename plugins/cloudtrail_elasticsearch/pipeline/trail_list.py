"""Lists and proves the windows of a batch, and writes their manifests."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from cloudtrail_elasticsearch.core.coverage.findings import ProofStatus
from cloudtrail_elasticsearch.core.coverage.ledger import VerifiedCell
from cloudtrail_elasticsearch.pipeline.trail_plan import BatchWindow, DayPlan
from cloudtrail_elasticsearch.sources.trail.bucket import TrailBucket
from cloudtrail_elasticsearch.sources.trail.layout import TrailRoot
from cloudtrail_elasticsearch.sources.trail.listing import has_digest
from cloudtrail_elasticsearch.sources.trail.prove import Prover, keep_manifest, list_window
from cloudtrail_elasticsearch.sources.trail.signatures import PublicKeys
from cloudtrail_elasticsearch.staging import TrailManifest, TrailStaging

StagingOf = Callable[[TrailRoot], TrailStaging]
"""Returns the staged windows of a root."""


@dataclass(frozen=True, slots=True)
class ListedWindow:
    """A window's manifest in figures."""

    files: int
    bytes: int
    digests: int
    is_new: bool
    """Whether this attempt listed it."""


class WindowLister:
    """Lists windows of a plan; threads may share it.

    :param is_again: list windows again that have a manifest
    """

    def __init__(
        self, plan: DayPlan, bucket: TrailBucket, keys: PublicKeys, staging_of: StagingOf, *, is_again: bool
    ) -> None:
        self._plan = plan
        self._bucket = bucket
        self._prover = Prover(keys)
        self._staging_of = staging_of
        self._is_again = is_again

    def list(self, asked: BatchWindow) -> ListedWindow:
        """List a window, prove the list, and write its manifest; a window that has one is listed only if needed.

        :raises LoaderError: S3 or CloudTrail cannot be asked
        """
        staging = self._staging_of(asked.region.root)
        standing = staging.standing(asked.window)
        known = standing.manifest
        if known is not None and not self._is_again and self._is_final(known, staging):
            return _describe(known, is_new=False)
        manifest = self._make_manifest(asked)
        return _describe(keep_manifest(manifest, staging, standing), is_new=True)

    def _make_manifest(self, asked: BatchWindow) -> TrailManifest:
        region, trail = asked.region, self._plan.trail
        if trail is None:
            return list_window(self._bucket, region, asked.window, self._prover)
        expecting = replace(self._prover, expected=(trail,))
        if not region.has_digests:
            # Somebody may have removed them.
            return list_window(self._bucket, region, asked.window, expecting)
        # If the region has digests, they show since when AWS signs its log files.
        manifest = list_window(self._bucket, region, asked.window, self._prover)
        if manifest.proof is ProofStatus.UNSIGNED and not has_digest(self._bucket, region):
            # The folder has only other objects.
            return list_window(self._bucket, region, asked.window, expecting)
        return manifest

    def _is_final(self, manifest: TrailManifest, staging: TrailStaging) -> bool:
        """Return whether a manifest has the selected kinds, and a proof that another listing cannot improve.

        If an object was restored since, or listed before it was replaced, the run that is repeated must see it.
        """
        if manifest.kinds != tuple(self._plan.kinds) or manifest.proof is ProofStatus.PENDING:
            return False
        if manifest.proof is not None and manifest.proof.is_failure:
            return False
        record = staging.load_record(manifest.window) if manifest.files else None
        if record is None:
            return True
        loaded = VerifiedCell.from_dict(record.cell) if record.cell else None
        proof = None if loaded is None else loaded.cell.proof
        # A record without a fingerprint is of a load that has read other objects than were listed.
        return record.fingerprint != "" and (proof is None or not proof.status.is_failure)


def _describe(manifest: TrailManifest, *, is_new: bool) -> ListedWindow:
    return ListedWindow(len(manifest.files), manifest.bytes, manifest.digests, is_new)
