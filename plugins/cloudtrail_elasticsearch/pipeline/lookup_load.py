"""The windows of a LookupEvents batch, for its load: their manifests."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from cloudtrail_elasticsearch.core.coverage.lookup_batches import LookupWindow
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.errors import StagingError
from cloudtrail_elasticsearch.core.loading.places import locate_line
from cloudtrail_elasticsearch.core.side_by_side import HoldMemory
from cloudtrail_elasticsearch.pipeline.batch_load import Locate
from cloudtrail_elasticsearch.pipeline.staged_parts import StagedParts
from cloudtrail_elasticsearch.staging import Manifest, Staging


@dataclass(frozen=True, slots=True)
class StagedWindow:
    """The parts of a window's manifest."""

    manifest: Manifest
    records: Staging

    @property
    def window(self) -> Window:
        """The window."""
        return self.manifest.window

    @property
    def is_quiet(self) -> bool:
        """Whether the window has no events."""
        return not self.manifest.parts

    @property
    def size(self) -> int:
        """The packed bytes of the parts."""
        return sum(part.bytes for part in self.manifest.parts)

    @property
    def memory(self) -> int:
        """The bytes of the largest part: parts are read one after another."""
        return max((part.unpacked or 0) + part.bytes for part in self.manifest.parts)

    def open(
        self, hold_memory: HoldMemory = nullcontext, locate: Locate = locate_line
    ) -> AbstractContextManager[StagedParts]:
        """Return the events of the parts."""
        return nullcontext(StagedParts(self.manifest, self.records, hold_memory, locate))


class StagedWindows:
    """Reads the manifests that the fetch task wrote."""

    def __init__(self, staging: Staging) -> None:
        self._staging = staging

    def read(self, asked: LookupWindow) -> StagedWindow:
        """Return the parts of a window.

        :raises StagingError: the window is not staged
        """
        manifest = self._staging.manifest(asked.window)
        if manifest is None:
            where = self._staging.uri(asked.window)
            raise StagingError(f"{asked.window.name} is not staged in {where}: run its fetch task first.")
        return StagedWindow(manifest, self._staging)
