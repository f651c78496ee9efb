"""Reads the events of one file: splits its text into values, removes wrappers, and counts what it skips."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Final

from cloudtrail_elasticsearch.core.documents.events import Unreadable, parse_line
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.errors import FileError
from cloudtrail_elasticsearch.sources.files import dumps, wrappers
from cloudtrail_elasticsearch.sources.files.fast_scan import STAGED as BEGINS_STAGED
from cloudtrail_elasticsearch.sources.files.fast_scan import Events, is_event, join_lines
from cloudtrail_elasticsearch.sources.files.kinds import (
    ACTION,
    CONTROL,
    DELIVERY,
    LAKE,
    NOT_SUPPORTED,
    Head,
    encode_text,
    find_other_kind,
    is_table,
    read_head,
)
from cloudtrail_elasticsearch.sources.files.report import FileReport
from cloudtrail_elasticsearch.sources.files.split import Fault, Found, Opened, Splitter, Value
from cloudtrail_elasticsearch.sources.files.unpack import peek, unpack

MOST_WRAPPERS: Final = 8
"""The most wrappers inside each other that are removed."""

LONGEST_PAYLOAD: Final = 64 * 1024 * 1024
"""The most bytes that a wrapper's data may unpack to."""

EVENT: Final = "event"
STAGED: Final = "staged event"

_TIME: Final = re.compile(rb"\d{4}-\d\d-\d\dT[\d:.]+(?:Z|[+-]\d\d:?\d\d)(?:[ \t]\S+)?")
"""The text before an event in exports of CloudWatch Logs; in ``aws logs tail`` the log stream follows the time."""

# AWS's services send these messages to test a new subscription or topic.
_TESTS: Final = ((b"CWL CONTROL MESSAGE", CONTROL), (b"CloudTrail validation message", DELIVERY))


class Reader:
    """Reads one text into lines for the loader, and counts its values in the file's report."""

    def __init__(self, report: FileReport) -> None:
        self._report = report
        self._action = ""
        """The bulk action in the value before; empty if that was none."""

    def lines(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield a line for each event, and for each value of unknown kind.

        Unreadable text is added to the report as a problem.
        """
        try:
            head, pieces = peek(unpack(pieces))
            if is_table(head):
                self._skip(LAKE)
                return
        except FileError as error:
            self._report.add_failure(str(error))
            return
        yield from self._read_lines(pieces, 0)

    def _read_lines(self, pieces: Iterable[bytes], depth: int) -> Iterator[bytes]:
        for found in Splitter(pieces, wrappers.CONTAINERS):
            # After a bulk action comes its document, even if it looks like an event.
            if type(found) is Events and not self._action:
                yield from self._count_events(found)
            else:
                yield from self._handle_found(found, depth)

    def _count_events(self, events: list[bytes]) -> list[bytes]:
        """Count verified events, and return them."""
        self._report.read += len(events)
        self._report.shapes[STAGED if events[0].startswith(BEGINS_STAGED) else EVENT] += len(events)
        return events

    def _handle_found(self, found: Found, depth: int) -> Iterator[bytes]:
        if isinstance(found, Fault):
            add = self._report.add_failure if found.is_last else self._report.add_problem
            add(found.reason)
        elif isinstance(found, Opened):
            self._report.shapes[".".join(found.container) or "list"] += 1
        else:
            for value in [found] if isinstance(found, Value) else map(Value, found):
                yield from self._read_or_report(value, depth)

    def _read_or_report(self, value: Value, depth: int) -> Iterator[bytes]:
        try:
            yield from self._read_value(value, depth)
        except FileError as error:
            # One damaged value costs no other value of the file.
            self._report.add_problem(str(error))

    def _read_value(self, value: Value, depth: int) -> Iterator[bytes]:
        # An action applies to the next value only.
        action, self._action = self._action, ""
        text = value.text
        if value.container in wrappers.TABLES and text.startswith((b"[", b"{")):
            self._skip(LAKE)
        elif text.startswith(b"["):
            yield from self._read_row(text, depth)
        elif text.startswith(b'"'):
            yield from self._read_string(value, depth)
        elif (head := read_head(text)) is None:
            yield from self._read_other(value)
        elif action:
            # An update has its document under `doc`.
            yield from self._read_document(head.text("doc") if action == "update" else text, depth)
        else:
            yield from self._read_object(text, head, depth)

    def _read_object(self, text: bytes, head: Head, depth: int) -> Iterator[bytes]:
        # Records that Lambda gets from S3 and Kinesis have an eventVersion, too.
        if "eventVersion" in head.names and not (head.holds_object("s3") or head.holds_object("kinesis")):
            yield self._count_line(text, EVENT)
        elif head.names == {"lookup", "event"} and head.holds_object("lookup"):
            yield self._count_line(text, STAGED)
        elif (wrapper := wrappers.open_wrapper(head)) is not None:
            name, texts = wrapper
            if head.holds_all_of(text):
                yield from self._read_wrapped(name, texts, depth)
            else:
                yield self._make_ambiguous_line(name, text)
        elif (kind := find_other_kind(head)) is not None:
            self._skip(kind)
            if kind == ACTION:
                # No document follows a deletion.
                self._action = next(iter(head.names)).replace("delete", "")
        elif (empty := _find_empty_container(head)) is not None:
            self._report.shapes[empty] += 1
        else:
            yield self._count_line(text, EVENT)

    def _read_wrapped(self, name: str, texts: Iterable[bytes], depth: int) -> Iterator[bytes]:
        self._report.shapes[name] += 1
        if depth >= MOST_WRAPPERS:
            raise FileError(f"an event has more than {MOST_WRAPPERS} wrappers around it: remove some first")
        for text in texts:
            # The usual content is one event, which needs no splitter.
            if is_event(text):
                yield from self._count_events([text])
            elif (kind := _find_test_message(text)) is not None:
                self._skip(kind)
            else:
                # The content can be compressed: CloudWatch Logs packs its messages, for example.
                yield from self._read_lines(_limit_size(unpack([text])), depth + 1)

    def _make_ambiguous_line(self, name: str, text: bytes) -> bytes:
        """Return a line for a wrapper with a duplicate name, because opening it would lose one of the values.

        The line is a list, because the wrapper alone could look like an event; a list is always quarantined.
        """
        self._report.add_problem(f"a wrapper ({name}) has a duplicate name: it is quarantined unopened")
        return self._count_line(b"[%b]" % text, EVENT)

    def _read_document(self, text: bytes, depth: int) -> Iterator[bytes]:
        """Yield the lines of the document after a bulk action."""
        yield from self._read_wrapped("search document", dumps.read_events(text), depth)

    def _read_row(self, text: bytes, depth: int) -> Iterator[bytes]:
        message = wrappers.read_query_row(_decode(text))
        if message is None:
            yield self._count_line(text, EVENT)
        else:
            yield from self._read_wrapped("CloudWatch Logs query", [message], depth)

    def _read_string(self, value: Value, depth: int) -> Iterator[bytes]:
        """Yield the lines of a JSON text inside a JSON string; some tools print a wrapper's content so."""
        string = _decode(value.text)
        if isinstance(string, str) and string.lstrip().startswith(("{", "[", '"')):
            yield from self._read_wrapped("string", [encode_text(string)], depth)
        else:
            yield from self._read_other(value)

    def _read_other(self, value: Value) -> Iterator[bytes]:
        kind = _find_test_message(value.text)
        if kind is not None:
            self._skip(kind)
        elif value.is_prefix and _TIME.fullmatch(value.text):
            self._report.shapes["CloudWatch Logs line"] += 1
        else:
            yield self._count_line(value.text, EVENT)

    def _count_line(self, text: bytes, shape: str) -> bytes:
        """Count a value as an event, or as unreadable, and return its line."""
        line = _join_lines(text)
        self._report.read += 1
        if isinstance(parse_line(line), Unreadable):
            self._report.unreadable += 1
        else:
            self._report.shapes[shape] += 1
        return line

    def _skip(self, kind: str) -> None:
        self._report.skipped[kind] += 1
        # The file has events that are not loaded, so the command must not report success.
        if kind in NOT_SUPPORTED:
            self._report.add_problem(NOT_SUPPORTED[kind])


def _join_lines(text: bytes) -> bytes:
    """Return a JSON text on one line; a text that is not JSON is returned unchanged."""
    if b"\n" not in text and b"\r" not in text:
        return text
    try:
        codec.decode(text)
    except ValueError:
        return text
    return join_lines(text)


def _decode(text: bytes) -> object:
    try:
        return codec.decode(text)
    except ValueError:
        return None


def _find_test_message(text: bytes) -> str | None:
    return next((kind for begin, kind in _TESTS if text.startswith(begin)), None)


def _find_empty_container(head: Head) -> str | None:
    """Return the name of a list that is null: CloudTrail's tools write an empty list so."""
    return next((name for name in wrappers.NAMES if head.text(name) == b"null"), None)


def _limit_size(pieces: Iterable[bytes]) -> Iterator[bytes]:
    total = 0
    for piece in pieces:
        total += len(piece)
        # A few bytes of compressed data can unpack to gigabytes.
        if total > LONGEST_PAYLOAD:
            raise FileError(f"the data in a wrapper unpacks to more than {LONGEST_PAYLOAD} bytes")
        yield piece
