"""The events of a trail's window, read from its log files in their place."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import nullcontext

from cloudtrail_elasticsearch.core.coverage.cells import Cell
from cloudtrail_elasticsearch.core.coverage.ledger import StagingDetails
from cloudtrail_elasticsearch.core.coverage.proof import Proof
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.loading.places import Place, RecordedPlaces, locate_line
from cloudtrail_elasticsearch.core.loading.presence import HeldEvents
from cloudtrail_elasticsearch.core.side_by_side import HoldMemory
from cloudtrail_elasticsearch.pipeline.sources import Done, Position
from cloudtrail_elasticsearch.sources.trail.window_files import WindowFiles
from cloudtrail_elasticsearch.staging import TrailManifest


class LogFiles:
    """The events of a trail's window, read from its log files. A position is a log file and the events read of it.

    A resumed load reads the log files before its position again, but sends none of their events: their places are
    needed for the verification on the server, and their hashes for the proof. That costs a fifth of loading them,
    and an attempt need not trust what an earlier one has seen (ADR-0018).

    :param hold_memory: returns a context within which the log files are read
    :param locate: returns the place of a line, such as `Loader.locate`
    """

    def __init__(
        self,
        manifest: TrailManifest,
        open_files: Callable[[], WindowFiles],
        hold_memory: HoldMemory = nullcontext,
        locate: Callable[[bytes], Place] = locate_line,
    ) -> None:
        self._locate = locate
        self._manifest = manifest
        self._open_files = open_files
        self._hold_memory = hold_memory
        self._places: RecordedPlaces | None = None
        self._reading: Generator[bytes] | None = None
        self._distinct = 0
        self._is_whole = False
        self._start = [0, 0]
        self._first_replaced: int | None = None
        """The number of the first log file that the newest reading found replaced."""
        self._sent_before: deque[tuple[int, int, int]] = deque()
        """For each log file that the newest reading has opened: the lines that were yielded before it, its number,
        and the number of its events that were skipped. Files whose lines are all acknowledged are dropped."""
        self.files = open_files()
        """The newest reading of the log files, with its findings."""

    def close(self) -> None:
        """End the newest reading, with its log files in memory, and remove the temporary file of places."""
        # The error of a load that failed is kept for a while, and its frames would keep the reading.
        if self._reading is not None:
            self._reading.close()
        if self._places is not None:
            self._places.close()

    @property
    def window(self) -> Window:
        """The window."""
        return self._manifest.window

    @property
    def content(self) -> Sequence[str]:
        """The keys and ETags of the log files."""
        return [text for file in self._manifest.files for text in (file.key, file.etag)]

    @property
    def is_as_described(self) -> bool:
        """Whether every log file that the newest reading has opened has the ETag of the manifest."""
        return self.files.is_as_listed

    @property
    def share_read(self) -> float:
        """The share of the bytes that the newest reading has read."""
        return self.files.bytes_read / (self._manifest.bytes or 1)

    @property
    def events(self) -> int:
        """The number of events in the log files, after a whole reading; repeated ones are counted each time."""
        return 0 if self._places is None else self._places.recorded

    def read_lines(self, start: Position | None = None) -> Iterator[bytes]:
        """Yield a line for each event after a position, and record the places of all events.

        :raises TransientError: S3 does not recover in time
        :raises AccessDeniedError: none of the log files may be read
        """
        self._start = start or [0, 0]
        self.close()
        places = self._places = RecordedPlaces()
        self._is_whole = False
        self._sent_before.clear()
        self._first_replaced = None
        self.files = self._open_files()
        first_file, first_event = self._start
        self._reading = self._read_from(first_file, first_event, places)
        return self._reading

    def _read_from(self, first_file: int, first_event: int, places: RecordedPlaces) -> Generator[bytes]:
        yielded = 0
        with self._hold_memory():
            for number, opened in enumerate(self.files.open_all()):
                if opened.content is None:
                    continue
                if opened.is_replaced and self._first_replaced is None:
                    self._first_replaced = number
                skipped = first_event if number == first_file else 0
                if number >= first_file:
                    self._sent_before.append((yielded, number, skipped))
                for event, line in enumerate(opened.content.lines()):
                    places.add(self._locate(line))
                    if number < first_file or event < skipped:
                        continue
                    yielded += 1
                    yield line
        self._is_whole = True

    def find_position(self, acknowledged: int) -> Position:
        """Return the number of the log file with the first unacknowledged line, and its events before it."""
        opened = self._sent_before
        while len(opened) > 1 and opened[1][0] <= acknowledged:
            opened.popleft()
        if not opened:
            return self._start
        before, number, skipped = opened[0]
        if self._first_replaced is not None and number >= self._first_replaced:
            # The next attempt may read another content, with the same ids.
            return [self._first_replaced, 0]
        return [number, skipped + acknowledged - before]

    def measure_before(self, position: Position) -> Done:  # noqa: ARG002 - of the protocol
        """Return nothing: the log files before a position are read again."""
        return Done(0, 0.0)

    def read_places(self, index_of: Callable[[str | None], str]) -> Iterator[Place]:
        """Yield the place of each document once; the log files are read if they were not read to their end."""
        if not self._is_whole:
            deque(self.read_lines(), maxlen=0)
            self.files.report_replaced()
        assert self._places is not None  # noqa: S101 - a whole reading has made it
        self._distinct = 0
        for place in self._places.read_distinct(index_of):
            self._distinct += 1
            yield place

    def make_cell(self, held: HeldEvents) -> Cell:
        """Return the window's cell: listed events = indexed + quarantined + left out + duplicates."""
        return Cell(
            window=self.window,
            files=len(self._manifest.files),
            proof=self._make_proof(),
            looked_up=self.events,
            duplicates=self.events - self._distinct,
            staged=self._distinct,
            indexed=held.indexed,
            quarantined=held.quarantined,
            own=held.own,
            left_out=held.left_out,
            left_out_by=dict(held.left_out_by),
        )

    def describe(self) -> StagingDetails:
        """Return the time of the listing, and those of the oldest and the newest event that were read."""
        places = self._places
        return StagingDetails(
            attempts=1,
            calls=0,
            throttled=0,
            first=None if places is None else places.first,
            last=None if places is None else places.last,
            staged_at=self._manifest.listed_at,
        )

    def _make_proof(self) -> Proof | None:
        status = self.files.status
        return None if status is None else Proof.from_findings(status, self.files.findings)
