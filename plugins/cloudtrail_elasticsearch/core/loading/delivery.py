"""Delivers batches: each document ends in an index or in the quarantine."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from typing import Final

import msgspec

from cloudtrail_elasticsearch.core.documents.event_filter import EventFilter
from cloudtrail_elasticsearch.core.documents.events import Unreadable, parse_object
from cloudtrail_elasticsearch.core.documents.normalize import Normalizer
from cloudtrail_elasticsearch.core.errors import MappingError
from cloudtrail_elasticsearch.core.index.index_pattern import QUARANTINE_INDEX
from cloudtrail_elasticsearch.core.loading.adapter import Adapter
from cloudtrail_elasticsearch.core.loading.quarantine import KeptEvent, Quarantine
from cloudtrail_elasticsearch.core.loading.report import Delivered, LoadReport
from cloudtrail_elasticsearch.core.log_text import safe_text
from cloudtrail_elasticsearch.core.search import bulk
from cloudtrail_elasticsearch.core.search.bulk import BatchEntry, BulkItem, LeftOut, Rejection
from cloudtrail_elasticsearch.core.search.rejection_reasons import cut_quoted_content
from cloudtrail_elasticsearch.core.search.sender import Sender

log = logging.getLogger(__name__)

_SUSPICIOUS: Final = 10
"""If all documents of a request this large are rejected, and none for its content, the index is at fault."""


class Delivery:
    """Sends documents until each is indexed or in quarantine; shared by the threads of a load."""

    def __init__(
        self,
        sender: Sender,
        adapter: Adapter,
        quarantine: Quarantine,
        normalizer: Normalizer,
        event_filter: EventFilter,
    ) -> None:
        self._sender = sender
        self._adapter = adapter
        self._quarantine = quarantine
        self._normalizer = normalizer
        self._filter = event_filter

    def deliver(self, batch: list[BatchEntry], report: LoadReport) -> Delivered:
        """Deliver the batch of a load, and add the outcomes of its events to the report.

        :raises MappingError: the index, not the documents, must be changed
        :raises TransientError: the server did not recover within the patience
        """
        report.read += len(batch)
        return self._send(batch, report, check_index)

    def replay(self, page: list[KeptEvent]) -> LoadReport:
        """Deliver quarantined events again, and delete the entries of those that are indexed or left out now.

        :raises TransientError: the server did not recover within the patience
        """
        report = LoadReport(read=len(page))
        batch = [self._render_again(line, entry.eventID) for entry in page if (line := entry.line) is not None]
        quarantined = {entry.item.id for entry in self._send(batch, report).quarantined}
        quarantined |= _count_without_event(page, report)
        # Last: an entry is deleted only after its event is indexed.
        self._quarantine.release(entry.eventID for entry in page if entry.eventID not in quarantined)
        return report

    def _render_again(self, line: bytes, identifier: str) -> BatchEntry:
        rule = self._filter.find_rule(line)
        # Under the entry's id: a line without hidden values can have another id than its event.
        return self._adapter.render(line, identifier) if rule is None else LeftOut(rule)

    def _send(
        self,
        batch: list[BatchEntry],
        report: LoadReport,
        check: Callable[[list[Rejection], int], None] | None = None,
    ) -> Delivered:
        """Send a batch until every document is indexed or quarantined.

        :param check: called with the rejections before the adapter changes documents because of them. A replay has
            no check, because all of its documents were rejected before.
        """
        items, quarantined, left_out = _sort_batch(batch)
        report.left_out_by += left_out
        answer = self._sender.send(items)
        report.acknowledge(answer)
        replaced = answer.replaced
        if answer.rejections:
            if check is not None:
                check(answer.rejections, len(batch) - left_out.total())
            # The adapter changes the documents and resends them; the rejections that are left are final.
            answer = self._adapter.resend(answer.rejections)
            report.acknowledge(answer)
            replaced += answer.replaced
            quarantined += answer.rejections
        if quarantined:
            self._quarantine.put(map(self._without_secrets, quarantined))
        # Counted only after the quarantine has stored them.
        report.quarantined += len(quarantined)
        return Delivered(quarantined, replaced)

    def _without_secrets(self, rejection: Rejection) -> Rejection:
        """Return a rejected event without the values that rules mask or drop."""
        # Not `parse_line`, because an object that is not an event can have values to hide, too.
        event = parse_object(rejection.item.original)
        if isinstance(event, Unreadable):
            return rejection
        line = self._normalizer.public_line(event, rejection.item.original)
        return replace(rejection, item=msgspec.structs.replace(rejection.item, original=line))


def _sort_batch(batch: list[BatchEntry]) -> tuple[list[BulkItem], list[Rejection], Counter[str]]:
    """Return a batch's documents to send, its unreadable events, and the number of lines each rule leaves out."""
    items: list[BulkItem] = []
    rejections: list[Rejection] = []
    left_out: Counter[str] = Counter()
    for entry in batch:
        if isinstance(entry, BulkItem):
            items.append(entry)
        elif isinstance(entry, Rejection):
            rejections.append(entry)
        else:
            left_out[entry.rule] += 1
    return items, rejections, left_out


def _count_without_event(page: list[KeptEvent], report: LoadReport) -> set[str]:
    """Report the entries that cannot be replayed, because they do not hold their events, and return their ids."""
    without_event = {entry.eventID for entry in page if entry.line is None}
    report.quarantined += len(without_event)
    if without_event:
        log.warning(
            "%d entries of %s cannot be replayed, because their events were too large for the server (for example "
            "eventID %s). Raise the limit that their reason names, then load their days again: the events are "
            "still staged.",
            len(without_event),
            QUARANTINE_INDEX,
            safe_text(min(without_event)),
        )
    return without_event


def check_index(rejections: list[Rejection], sent: int) -> None:
    """Raise an error if a request's documents are all rejected alike, and not because of their content.

    :raises MappingError: the index, not the documents, must be changed
    """
    first = rejections[0]
    # Large documents are not the index's fault, even if a request has only such documents.
    alike = {entry.kind for entry in rejections} == {first.kind} and first.kind != bulk.TOO_LARGE
    if (
        sent < _SUSPICIOUS
        or len(rejections) < sent
        or not alike
        or any(entry.blames_document for entry in rejections)
    ):
        return
    kind, words = safe_text(first.kind), safe_text(cut_quoted_content(first.reason))
    raise MappingError(
        f"The search server rejected all {sent} documents of a request for {safe_text(first.item.index)}, but not "
        f"because of their content ({kind}): {words}. Correct the index, then run the task again. Nothing is "
        f"lost: the events stay staged."
    )
