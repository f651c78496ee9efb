"""Batches: the windows of a trail's day, grouped for Airflow's mapped tasks.

An organization has thousands of windows a day, and most of them are quiet. Quiet windows share a task, and a busy
window is divided by the hour of delivery over several tasks.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final, Protocol, TypeVar

from cloudtrail_elasticsearch.core.coverage.windows import Window

HOURS: Final = 24

PIECE_SECONDS: Final = 120.0
"""A window that takes longer is divided, into as few pieces as needed.

The pieces of a window follow from its own size alone, never from other windows or from the number of tasks: a run
that is repeated then finds the manifests and the load records of the run before.
"""

TASK_SECONDS: Final = 10.0
"""The least work of a task if there are several: a list and a load task cost Airflow about 2 s."""

_WINDOW_SECONDS: Final = 0.005
_DIGEST_SECONDS: Final = 0.002
_FILE_SECONDS: Final = 0.002
_BYTE_SECONDS: Final = 0.4e-6
"""The processor time of a window, of a digest (one an hour), of a log file, and of a packed byte.

An event takes about 170 packed bytes.
"""

_LENGTHS: Final = tuple(hours for hours in range(HOURS, 0, -1) if HOURS % hours == 0)


@dataclass(frozen=True, slots=True)
class Size:
    """The number of log files, and their packed size in bytes."""

    files: int = 0
    bytes: int = 0

    def __add__(self, other: Size) -> Size:
        """Return the size of both."""
        return Size(self.files + other.files, self.bytes + other.bytes)


NOTHING: Final = Size()


@dataclass(frozen=True, slots=True)
class WindowSize:
    """A window of one UTC day, and the size of its log files by their hour of delivery."""

    window: Window
    hours: tuple[Size, ...]
    has_digests: bool = True

    def __post_init__(self) -> None:
        if not self.window.is_day or len(self.hours) != HOURS:
            raise ValueError(f"{self.window.name} is not one day with {HOURS} hours.")

    @property
    def total(self) -> Size:
        """The size of the whole day."""
        return sum(self.hours, NOTHING)


@dataclass(frozen=True, slots=True)
class Piece:
    """A window, or some hours of one, and its estimated work."""

    window: Window
    of: int
    """The position of the whole window among those that were planned."""
    size: Size
    has_digests: bool

    @property
    def seconds(self) -> float:
        """The estimated processor time."""
        digests = self.window.length // timedelta(hours=1) if self.has_digests else 0
        return (
            _WINDOW_SECONDS
            + digests * _DIGEST_SECONDS
            + self.size.files * _FILE_SECONDS
            + self.size.bytes * _BYTE_SECONDS
        )


@dataclass(frozen=True, slots=True)
class Batch:
    """The windows of one task."""

    name: str
    pieces: tuple[Piece, ...]

    @property
    def seconds(self) -> float:
        """The estimated processor time."""
        return _sum_seconds(self.pieces)


class HasSeconds(Protocol):
    """Some work."""

    @property
    def seconds(self) -> float:
        """The estimated processor time."""


Work = TypeVar("Work", bound=HasSeconds)


def share_work(sorted_work: Sequence[Work], tasks: int) -> list[list[Work]]:
    """Return the pieces of work in groups of about equal work, the group with the most work first.

    Each piece goes to the group with the least work so far. Equal work gives equal groups. There are fewer groups
    than tasks if each would have less work than `TASK_SECONDS`.

    :param sorted_work: the longest pieces first
    :param tasks: the most groups, at least 1
    """
    useful = math.ceil(_sum_seconds(sorted_work) / TASK_SECONDS)
    groups = min(tasks, max(1, useful), len(sorted_work))
    found: list[list[Work]] = [[] for _ in range(groups)]
    # Ties go to the lowest number, so that the plan is the same in every run.
    loads = [(0.0, number) for number in range(groups)]
    for piece in sorted_work:
        load, number = heapq.heappop(loads)
        found[number].append(piece)
        heapq.heappush(loads, (load + piece.seconds, number))
    return sorted(found, key=_sum_seconds, reverse=True)


def plan_batches(sizes: Sequence[WindowSize], tasks: int) -> list[Batch]:
    """Return the batches of a day's windows; each hour of each window is in exactly one of them.

    The longest pieces are placed first, each in the batch with the least work so far, so that all tasks take about
    the same time. Equal sizes give equal batches. The batch with the most work is the first one.

    :param sizes: windows of the same day
    :param tasks: the most batches, at least 1
    """
    pieces = [piece for of, size in enumerate(sizes) for piece in divide_window(size, of)]
    pieces.sort(key=lambda piece: (-piece.seconds, piece.window, piece.of))
    ordered = share_work(pieces, tasks)
    return [
        Batch(
            name_batch([piece.window for piece in group], number, len(ordered)),
            tuple(sorted(group, key=lambda piece: piece.window)),
        )
        for number, group in enumerate(ordered, 1)
    ]


def divide_window(size: WindowSize, of: int = 0) -> list[Piece]:
    """Return a window as one piece, or as equally long pieces of whole hours if it takes long.

    :param of: the position of the window, for its pieces
    """
    for length in _LENGTHS:
        pieces = [
            Piece(
                _cut_hours(size.window, first, first + length),
                of,
                sum(size.hours[first : first + length], NOTHING),
                size.has_digests,
            )
            for first in range(0, HOURS, length)
        ]
        if max(piece.seconds for piece in pieces) <= PIECE_SECONDS:
            break
    # A single hour that takes longer stays one piece.
    return pieces


def _sum_seconds(pieces: Iterable[HasSeconds]) -> float:
    # The exact sum does not depend on the order of the pieces; `sum` rounds after each of them.
    return math.fsum(piece.seconds for piece in pieces)


def _cut_hours(day: Window, first: int, end: int) -> Window:
    return replace(day, start=day.start + timedelta(hours=first), end=day.start + timedelta(hours=end))


def name_batch(windows: Sequence[Window], number: int, of: int) -> str:
    """Return a name that is unique in its day, for Airflow's pages.

    :param number: the number of the batch among `of` batches, from 1
    """
    first = windows[0]
    if len(windows) == 1:
        return first.name
    accounts = len({window.account for window in windows})
    named = f"{accounts} accounts" if accounts > 1 else f"account {first.account}"
    return f"{first.start:%Y-%m-%d} {number} of {of}: {len(windows)} windows of {named}"
