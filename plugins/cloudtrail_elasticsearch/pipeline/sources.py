"""The events of one window, whichever the source: what a load needs to read, resume and verify them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple, Protocol

from cloudtrail_elasticsearch.core.coverage.cells import Cell
from cloudtrail_elasticsearch.core.coverage.ledger import StagingDetails
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.loading.places import Place
from cloudtrail_elasticsearch.core.loading.presence import HeldEvents

Position = Any
"""A place between two lines as JSON, for the state store; each source has a form of its own."""


class Done(NamedTuple):
    """How much of a window is done; zero if it is not known without reading."""

    events: int
    share: float
    """From 0 to 1."""


class WindowSource(Protocol):
    """The events of one window, in an order that every attempt repeats."""

    @property
    def window(self) -> Window:
        """The window."""

    @property
    def content(self) -> Sequence[str]:
        """Texts that are equal for two windows with equal events."""

    @property
    def is_as_described(self) -> bool:
        """Whether the newest reading had the events of `content`, so far."""

    @property
    def share_read(self) -> float:
        """The share of the window that the newest reading has read, from 0 to 1."""

    def read_lines(self, start: Position | None = None) -> Iterator[bytes]:
        """Yield a line for each event after a position; None for all of them.

        :raises TransientError: a further attempt can succeed
        :raises StagingError: a staged part differs from its entry in the manifest
        """

    def find_position(self, acknowledged: int) -> Position:
        """Return the position after the first lines that the newest reading has yielded.

        Numbers must not decrease within one reading.
        """

    def measure_before(self, position: Position) -> Done:
        """Return how much of the window is before a position."""

    def read_places(self, index_of: Callable[[str | None], str]) -> Iterator[Place]:
        """Yield the place of each document of the window once.

        :param index_of: returns the index of a day's events
        """

    def make_cell(self, held: HeldEvents) -> Cell:
        """Return the window's cell, after its places were read."""

    def describe(self) -> StagingDetails:
        """Return the times and calls of the window's staging or listing, for the ledger."""
