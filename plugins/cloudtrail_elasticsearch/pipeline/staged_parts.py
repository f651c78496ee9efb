"""The events of a window that is staged in parts."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext
from itertools import islice

from cloudtrail_elasticsearch.core.coverage.cells import Cell
from cloudtrail_elasticsearch.core.coverage.ledger import StagingDetails
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.errors import StagingError, TransientError
from cloudtrail_elasticsearch.core.figures import CallFigures, StagingFigures, copy_figures
from cloudtrail_elasticsearch.core.loading.places import Place, locate_line
from cloudtrail_elasticsearch.core.loading.presence import HeldEvents
from cloudtrail_elasticsearch.core.side_by_side import HoldMemory
from cloudtrail_elasticsearch.pipeline.sources import Done, Position
from cloudtrail_elasticsearch.staging import Manifest, Staging


class StagedParts:
    """The events of a staged window. A position is the number of events before it.

    :param hold_memory: returns a context within which the parts are read
    :param locate: returns the place of a line, such as `Loader.locate`
    """

    def __init__(
        self,
        manifest: Manifest,
        staging: Staging,
        hold_memory: HoldMemory = nullcontext,
        locate: Callable[[bytes], Place] = locate_line,
    ) -> None:
        self._locate = locate
        self._manifest = manifest
        self._staging = staging
        self._hold_memory = hold_memory
        self._start = 0
        self._read = 0

    @property
    def window(self) -> Window:
        """The window."""
        return self._manifest.window

    @property
    def content(self) -> Sequence[str]:
        """The parts' checksums, not their keys: a fetch that staged the same parts again needs no new load."""
        return [part.sha256 for part in self._manifest.parts]

    @property
    def is_as_described(self) -> bool:
        """True: a part with another checksum is an error."""
        return True

    @property
    def share_read(self) -> float:
        """The share of the events that the newest reading has read or skipped."""
        return (self._start + self._read) / (self._manifest.staged or 1)

    def read_lines(self, start: Position | None = None) -> Iterator[bytes]:
        """Yield the staged lines after the first `start` ones; parts that are wholly skipped are not read.

        :raises StagingError: a part differs from its entry in the manifest
        :raises TransientError: the window was fetched again meanwhile
        """
        self._start = start or 0
        self._read = 0
        return self._read_from(self._start)

    def _read_from(self, skipped: int) -> Iterator[bytes]:
        with self._hold_memory():
            yield from self._read_parts(skipped)

    def _read_parts(self, skipped: int) -> Iterator[bytes]:
        for part in self._manifest.parts:
            if skipped >= part.events:
                skipped -= part.events
                continue
            try:
                for line in islice(self._staging.lines(part), skipped, None):
                    self._read += 1
                    yield line
            except StagingError as error:
                # Another fetch may have replaced the manifest, and deleted the parts of this one.
                if self._staging.manifest(self.window) != self._manifest:
                    raise TransientError(
                        f"{self.window.name} was fetched again meanwhile. The next attempt loads the new fetch."
                    ) from error
                raise
            skipped = 0

    def find_position(self, acknowledged: int) -> Position:
        """Return the number of events before the position."""
        return self._start + acknowledged

    def measure_before(self, position: Position) -> Done:
        """Return how much of the window is before a position."""
        return Done(position, position / (self._manifest.staged or 1))

    def read_places(self, index_of: Callable[[str | None], str]) -> Iterator[Place]:  # noqa: ARG002 - of the protocol
        """Yield the place of each staged event; a fetch stages each event once."""
        return map(self._locate, self.read_lines())

    def make_cell(self, held: HeldEvents) -> Cell:
        """Return the window's cell."""
        return Cell(
            window=self.window,
            staged=self._manifest.staged,
            indexed=held.indexed,
            quarantined=held.quarantined,
            own=held.own,
            left_out=held.left_out,
            left_out_by=dict(held.left_out_by),
            **copy_figures(self._manifest, StagingFigures),
        )

    def describe(self) -> StagingDetails:
        """Return the times and calls of the fetch."""
        manifest = self._manifest
        return StagingDetails(
            attempts=manifest.attempts,
            first=manifest.first,
            last=manifest.last,
            staged_at=manifest.staged_at,
            **copy_figures(manifest, CallFigures),
        )
