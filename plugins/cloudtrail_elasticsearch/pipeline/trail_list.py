"""Lists and proves the windows of a batch, and writes their manifests."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, replace

from cloudtrail_elasticsearch.core.coverage.findings import ProofStatus
from cloudtrail_elasticsearch.pipeline.trail_plan import BatchWindow, DayPlan
from cloudtrail_elasticsearch.sources.trail.bucket import TrailBucket
from cloudtrail_elasticsearch.sources.trail.layout import TrailRoot
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
        if known is not None and not self._is_again and _is_final(known, self._plan.kinds):
            return _describe(known, is_new=False)
        trail = self._plan.trail
        # If the region has digests, they show since when AWS signs its log files. If it has none at all, somebody
        # may have removed them.
        is_expected = trail is not None and not asked.region.has_digests
        prover = replace(self._prover, expected=(trail,)) if trail is not None and is_expected else self._prover
        manifest = list_window(self._bucket, asked.region, asked.window, prover)
        return _describe(keep_manifest(manifest, staging, standing), is_new=True)


def _is_final(manifest: TrailManifest, kinds: Collection[str]) -> bool:
    """Return whether a manifest has the selected kinds, and a proof that waits for no digest."""
    return manifest.kinds == tuple(kinds) and manifest.proof != ProofStatus.PENDING


def _describe(manifest: TrailManifest, *, is_new: bool) -> ListedWindow:
    return ListedWindow(len(manifest.files), manifest.bytes, manifest.digests, is_new)
