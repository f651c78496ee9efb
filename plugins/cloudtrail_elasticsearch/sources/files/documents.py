"""Reads the documents of one file for the command `restore`; only a search server's own wrappers are removed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cloudtrail_elasticsearch.sources.files.kinds import ACTION, Head, find_other_kind, read_head
from cloudtrail_elasticsearch.sources.files.report import FileReport
from cloudtrail_elasticsearch.sources.files.split import Fault, Found, Opened, Splitter, Value
from cloudtrail_elasticsearch.sources.files.unpack import unpack
from cloudtrail_elasticsearch.sources.files.wrappers import DOCUMENT_CONTAINERS


class DocumentReader:
    """Reads the documents of one text, and counts them in the file's report."""

    def __init__(self, report: FileReport) -> None:
        self._report = report

    def lines(self, pieces: Iterable[bytes]) -> Iterator[bytes]:
        """Yield each document, and each value that is not a document.

        Unreadable text is added to the report as a problem.
        """
        for found in Splitter(unpack(pieces), DOCUMENT_CONTAINERS):
            yield from self._handle_found(found)

    def _handle_found(self, found: Found) -> Iterator[bytes]:
        if isinstance(found, Fault):
            add = self._report.add_failure if found.is_last else self._report.add_problem
            add(found.reason)
        elif isinstance(found, Opened):
            self._report.shapes[".".join(found.container) or "list"] += 1
        else:
            for text in [found.text] if isinstance(found, Value) else found:
                yield from self._read_value(text)

    def _read_value(self, text: bytes) -> Iterator[bytes]:
        head = read_head(text)
        if head is not None and find_other_kind(head) == ACTION:
            # The action lines of a bulk request hold no document.
            self._report.skipped[ACTION] += 1
            return
        self._report.read += 1
        # A value that is no object is passed on, so that the caller reports it.
        yield text if head is None else self._unwrap(text, head)

    def _unwrap(self, text: bytes, head: Head) -> bytes:
        is_wrapped = head.holds_object("_source")
        self._report.shapes["search document" if is_wrapped else "document"] += 1
        return head.text("_source") if is_wrapped else text
