"""Splits JSON texts of any length into their values, byte for byte, piece by piece.

A text is a sequence of values, separated by line ends, blanks or nothing. A value with a list of other values
(CloudTrail's ``{"Records": […]}``, or a bare list) is never held whole: its elements are yielded one by one.

`fast_scan` finds the ends of values that are completely in memory; a `Scanner` handles all others.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import Final

from cloudtrail_elasticsearch.sources.files.fast_scan import (
    Events,
    find_value_end,
    scan_lines,
    scan_list,
    scan_row,
)
from cloudtrail_elasticsearch.sources.files.feed import Feed, Held
from cloudtrail_elasticsearch.sources.files.scan import BrokenError, Path, Scanner, Stop

LONGEST_VALUE: Final = 32 * 1024 * 1024
"""A longer value is reported and skipped; CloudTrail's events have at most 1 MB.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/WhatIsCloudTrail-Limits.html
"""

MOST_LISTS: Final = 16
"""The most nested lists that are opened; a deeper list is one value."""

_VALUE: Final = (b"{", b"[", b'"')
_STRAY: Final = b",]} \t\r"
_NOISE_END: Final = re.compile(rb'\n|\{\s*"')
_NOISE_END_IN_LIST: Final = re.compile(rb'[\n,\]]|\{\s*"')
_RESUME: Final = re.compile(
    rb'\n(?=\{)|\{\s*"(?:eventVersion|Records|lookup|additionalEventData|apiVersion|awsRegion)"'
)
"""Where reading resumes after broken text: at a line that begins an object, or at an object like an event."""

_READ_AGAIN: Final = 4
_READ_AGAIN_AT_LEAST: Final = 1024 * 1024
"""Broken values are read again to find events in them, up to this multiple of the bytes read, plus 1 MiB."""


@dataclass(frozen=True, slots=True)
class Value:
    """The text of a value, or the text found instead of a value."""

    text: bytes
    container: Path = ()
    """The path of the list that contains it; empty if none does."""
    is_prefix: bool = False
    """Whether an object follows it on the same line."""


@dataclass(frozen=True, slots=True)
class Opened:
    """An opened list, whose elements follow; `container` is its path in the object around it, or empty."""

    container: Path


@dataclass(frozen=True, slots=True)
class Fault:
    """A part of the text from which no value was read."""

    reason: str
    is_last: bool = False
    """Whether reading stopped here; this may be the cause of earlier faults."""


Found = Events | Value | Opened | Fault


class Containers:
    """The lists whose elements are yielded one by one.

    :param rows: their paths in the object around them; True if lists inside are elements and are not opened
    """

    def __init__(self, rows: Mapping[Path, bool]) -> None:
        self.rows = rows
        names = b"|".join(sorted({path[0].encode() for path in rows}))
        self._named = re.compile(rb'"(?:%b)"\s*:' % names)

    def are_named(self, text: bytes, at: int, end: int) -> bool:
        """Return whether the name of such a list occurs anywhere in a part of a text."""
        return self._named.search(text, at, end) is not None


class _Next(Enum):
    FIRST = auto()
    COMMA = auto()
    ELEMENT = auto()


class _List:
    """An open list: the scanner of the object around it, if any, and the token that must come next."""

    def __init__(self, container: Path, scanner: Scanner | None, holds_rows: bool) -> None:
        self.container = container
        self.scanner = scanner
        self.holds_rows = holds_rows
        self.next = _Next.FIRST


class Splitter:
    """Splits one text; iterate over it once.

    :param containers: the lists to open
    """

    def __init__(self, pieces: Iterable[bytes], containers: Containers, longest: int = LONGEST_VALUE) -> None:
        self._feed = Feed(pieces)
        self._containers = containers
        self._longest = longest
        self._lists: list[_List] = []
        self._read_again = 0

    def __iter__(self) -> Iterator[Found]:
        feed = self._feed
        while feed.skip_blanks():
            yield from self._read_elements(self._lists[-1]) if self._lists else self._read_values()
        if feed.failure is not None:
            yield Fault(str(feed.failure), is_last=True)
        elif self._lists:
            yield self._make_fault("a list is not closed: the file is cut short")

    def _read_values(self) -> Iterator[Found]:
        """Yield values outside of lists: all events that are in memory, or one value of any kind."""
        feed = self._feed
        # The usual forms: one event on each line, or events without line ends.
        for scan in (scan_lines, scan_row):
            events = scan(feed.text, feed.at)
            if events:
                feed.at = events.end
                yield events
                return
        if feed.text.startswith((b"{", b"["), feed.at):
            yield from self._read_value()
        else:
            yield from self._read_noise(_NOISE_END)

    def _read_elements(self, inner: _List) -> Iterator[Found]:
        """Yield elements of a list: all events in memory, then one element of any kind, or the list's end."""
        feed = self._feed
        # If a comma must come first, no event can begin here.
        if inner.next is not _Next.COMMA:
            events = scan_list(feed.text, feed.at)
            feed.at = events.end
            if events:
                inner.next = _Next.ELEMENT if events.is_followed else _Next.COMMA
                yield events
        if feed.skip_blanks():
            yield from self._read_element(inner)

    def _read_element(self, inner: _List) -> Iterator[Found]:
        feed = self._feed
        if feed.text.startswith(b"]", feed.at):
            yield from self._close_list(inner)
        elif feed.text.startswith(b",", feed.at):
            if inner.next is not _Next.COMMA:
                # Only reported: the elements around it are read.
                yield self._make_fault("an extra comma in a list")
            feed.at += 1
            inner.next = _Next.ELEMENT
        else:
            if inner.next is _Next.COMMA:
                yield self._make_fault("a comma is missing in a list")
            inner.next = _Next.COMMA
            is_value = feed.text.startswith(_VALUE, feed.at)
            yield from self._read_value() if is_value else self._read_noise(_NOISE_END_IN_LIST)

    def _close_list(self, inner: _List) -> Iterator[Found]:
        if inner.next is _Next.ELEMENT:
            yield self._make_fault("an extra comma in a list")
        self._feed.at += 1
        self._lists.pop()
        # The object around the list can have further members, and further lists.
        if inner.scanner is not None:
            yield from self._scan_rest(inner.scanner)

    def _read_noise(self, end: re.Pattern[bytes]) -> Iterator[Found]:
        """Yield what is no object or list: a number, a text, or no JSON at all."""
        held, began = Held(self._longest), self._feed.offset
        self._feed.take_until(end, held)
        found = self._make_held(held, began)
        if isinstance(found, Value) and not found.text.strip(_STRAY):
            yield self._make_fault("an unexpected bracket or comma", began)
        elif isinstance(found, Value):
            yield replace(found, is_prefix=self._feed.text.startswith(b"{", self._feed.at))
        else:
            yield found

    def _read_value(self) -> Iterator[Found]:
        """Yield the value at the current position, or open it if it is a list or contains one."""
        feed = self._feed
        is_list = feed.text.startswith(b"[", feed.at)
        # Bounded, because each open list needs memory, and a crafted text can nest them without end.
        may_open = len(self._lists) < MOST_LISTS
        # The rows of a table are lists themselves, and each is one element.
        if is_list and may_open and not (self._lists and self._lists[-1].holds_rows):
            feed.at += 1
            self._lists.append(_List((), None, holds_rows=False))
            yield Opened(())
            return
        end = find_value_end(feed.text, feed.at)
        # A value without the name of a container has no list to open.
        if end is not None and not (may_open and self._containers.are_named(feed.text, feed.at, end)):
            yield self._make_value(feed.take(end))
        else:
            yield from self._scan_value(Scanner(self._containers.rows if may_open else {}))

    def _scan_value(self, scanner: Scanner) -> Iterator[Found]:
        """Scan a value to its end, or to the first list in it that is opened."""
        held, began = Held(self._longest), self._feed.offset
        try:
            stop = self._follow(scanner, held)
        except BrokenError as error:
            yield from self._skip_broken(held, began, error.at)
            return
        if stop is None:
            # Lines inside the unclosed value can still be events, so it is read again.
            yield self._make_fault("a value is not closed: the file is cut short", began)
            yield from self._skip_broken(held, began, self._feed.at)
        elif stop.container is not None:
            yield self._open_list(scanner, stop)
        else:
            held.add(self._feed.take(stop.at))
            yield self._make_held(held, began)

    def _scan_rest(self, scanner: Scanner) -> Iterator[Found]:
        """Scan the rest of the object around a list that has ended; its text is dropped."""
        try:
            # Only a container's elements are events, so its other members need not be kept.
            stop = self._follow(scanner, Held(0))
        except BrokenError as error:
            self._feed.at = error.at
            yield self._make_fault("the object around a list is damaged")
            return
        if stop is None:
            yield self._make_fault("the object around a list is not closed: the file is cut short")
        elif stop.container is not None:
            yield self._open_list(scanner, stop)
        else:
            self._feed.at = stop.at

    def _follow(self, scanner: Scanner, held: Held) -> Stop | None:
        """Return where a scanner stops; None if the text ends first.

        :raises BrokenError: the text cannot continue any JSON value
        """
        feed = self._feed
        while (stop := scanner.scan(feed.text, feed.at)) is None:
            held.add(feed.take(len(feed.text)))
            if not feed.read_next():
                return None
        return stop

    def _open_list(self, scanner: Scanner, stop: Stop) -> Opened:
        assert stop.container is not None  # noqa: S101 - only asked for if there is one
        self._feed.at = stop.at
        self._lists.append(_List(stop.container, scanner, self._containers.rows[stop.container]))
        return Opened(stop.container)

    def _skip_broken(self, held: Held, began: int, broke_at: int) -> Iterator[Found]:
        """Yield broken text, up to the place where the next value may begin.

        The search starts at the beginning of the broken value, because it may contain valid lines. If the file
        was crafted to be read again and again, the search starts where the value broke.
        """
        feed = self._feed
        self._read_again += feed.offset - began + broke_at - feed.at
        is_short = self._read_again <= _READ_AGAIN_AT_LEAST + _READ_AGAIN * feed.offset
        if is_short and not held.is_too_long:
            feed.put_back(held.take())
            held = Held(self._longest)
        else:
            held.add(feed.take(broke_at))
        feed.take_until(_RESUME, held)
        if self._lists:
            # After a gap, a comma or an element can be missing without being a fault of its own.
            self._lists[-1].next = _Next.FIRST
        yield self._make_held(held, began)

    def _make_held(self, held: Held, began: int) -> Value | Fault:
        if held.is_too_long:
            return self._make_fault(f"a value of more than {self._longest} bytes is skipped", began)
        return self._make_value(held.take())

    def _make_value(self, text: bytes) -> Value:
        return Value(text.rstrip(), self._lists[-1].container if self._lists else ())

    def _make_fault(self, problem: str, at: int | None = None) -> Fault:
        return Fault(f"{problem}, at byte {self._feed.offset if at is None else at}")
