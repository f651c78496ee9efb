"""The loader: renders lines as documents, sends them in bulk requests, and counts the documents on the server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from functools import cached_property
from itertools import chain, islice
from typing import Final

from cloudtrail_elasticsearch.core.coalescer import Coalescer
from cloudtrail_elasticsearch.core.documents.event_filter import EventFilter, make_fingerprint
from cloudtrail_elasticsearch.core.documents.normalize import Normalizer
from cloudtrail_elasticsearch.core.documents.own_events import OwnEvents
from cloudtrail_elasticsearch.core.documents.schema import Schema
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern, make_index_lookup
from cloudtrail_elasticsearch.core.index.index_settings import IndexSettings
from cloudtrail_elasticsearch.core.loading.adapter import Adapter
from cloudtrail_elasticsearch.core.loading.delivery import Delivery
from cloudtrail_elasticsearch.core.loading.missing_events import DocumentKey, find_missing
from cloudtrail_elasticsearch.core.loading.places import Place, make_locate
from cloudtrail_elasticsearch.core.loading.presence import HeldEvents, PresenceCheck
from cloudtrail_elasticsearch.core.loading.quarantine import Quarantine
from cloudtrail_elasticsearch.core.loading.report import (
    Acknowledgements,
    LoadReport,
    Outcomes,
    Progress,
    number_outcomes,
)
from cloudtrail_elasticsearch.core.search import bulk
from cloudtrail_elasticsearch.core.search.bulk import BatchEntry, LeftOut
from cloudtrail_elasticsearch.core.search.sender import LoadSettings, Sender
from cloudtrail_elasticsearch.core.search.server import SearchServer

__all__ = ["HeldEvents", "LoadReport", "LoadSettings", "Loader", "Outcomes", "Progress"]


_FEW: Final = 2_000
"""Threads that count fewer events share their requests; they hold the places of all these events meanwhile."""


class Loader:
    """Loads events into the indices of one pattern on one server. Threads may share it."""

    def __init__(
        self,
        server: SearchServer,
        pattern: IndexPattern,
        schema: Schema,
        settings: LoadSettings | None = None,
        own_events: OwnEvents = OwnEvents.KEEP,
        index_settings: IndexSettings | None = None,
    ) -> None:
        self._settings = settings or LoadSettings()
        self._pattern = pattern
        self._schema = schema
        self._own_events = own_events
        self._filter = EventFilter(schema.leave_out, own_events)
        self.locate = make_locate(self._filter)
        """Returns the place of a line; it names the rule that leaves the event out."""
        self.index_of = make_index_lookup(pattern)
        """Returns the index of the events of a day (``2026-11-20``); None for events without a time."""
        self._sender = Sender(server, self._settings)
        self._preparing = threading.Lock()
        self._is_prepared = False
        self._adapter = Adapter(server, self._sender, pattern, schema, own_events, index_settings)
        self._quarantine = Quarantine(self._sender, pattern.text)
        # This normalizer only hides values in quarantined lines, so it marks no own events.
        self._delivery = Delivery(self._sender, self._adapter, self._quarantine, Normalizer(schema), self._filter)
        self._counts = Coalescer(self._count_groups)

    @cached_property
    def target(self) -> str:
        """The destination, the form of the documents and the events left out, as configured.

        Loads with equal targets need no repeat.
        The server's address is not part of it, because it may change, and the loader verifies the documents on the
        server (ADR-0003). The rejected paths are not part of it, because documents that are indexed stay as they
        are (ADR-0006).
        """
        # Without such rules, the text is that of earlier versions, so that an update repeats no load.
        left_out = make_fingerprint(self._schema.leave_out)
        return f"{self._pattern.text} {self._schema.fingerprint} {self._own_events} {left_out}".rstrip()

    def prepare(self) -> None:
        """Create or update the index templates and indices, and read the paths that were rejected before.

        Only the first call sends requests, so that the windows of a batch share their cost.

        :raises MappingError: an index of the loader has another mapping strategy, or the server rejects a template
        """
        with self._preparing:
            if not self._is_prepared:
                self._sender.retry(self._adapter.prepare)
                self._is_prepared = True

    def load(
        self,
        lines: Iterable[bytes],
        on_progress: Progress | None = None,
        on_outcomes: Callable[[Outcomes], None] | None = None,
    ) -> LoadReport:
        """Load lines (staged lines or bare records) and return the counts of their outcomes.

        `on_progress` is called each time a request is acknowledged, and `on_outcomes` with the outcomes of its
        lines. At most `senders` requests and one batch are in memory. At most `2 * senders` requests may be ahead
        of the oldest unacknowledged one: a load that is killed and resumed resends at most that many.

        :raises TransientError: the server did not recover within the patience
        :raises ConfigurationError: the server rejects more than a document
        """
        total = LoadReport()
        settings = self._settings
        pool = ThreadPoolExecutor(settings.senders, thread_name_prefix="bulk")
        pending: dict[Future[tuple[LoadReport, Outcomes]], int] = {}
        first = 0
        acknowledged = Acknowledgements()
        # Rendered when a batch takes them, so that memory holds one batch beside the requests.
        items = (self._render(line) for line in lines if line.strip())

        def collect() -> None:
            for future in wait(pending, return_when=FIRST_COMPLETED).done:
                # Raises the error of the sending thread, if it failed.
                report, outcomes = future.result()
                if on_outcomes is not None:
                    on_outcomes(outcomes)
                acknowledged.add(pending.pop(future), report.read)
                total.add(report)
            if on_progress is not None:
                on_progress(total, acknowledged.events)

        try:
            for number, batch in enumerate(
                bulk.group_into_batches(items, settings.request_bytes, settings.request_items)
            ):
                # The second limit counts from the oldest request without an answer: progress has no gaps, so
                # everything after that request is resent after a kill.
                while len(pending) >= settings.senders or number - acknowledged.requests >= 2 * settings.senders:
                    collect()
                pending[pool.submit(self._deliver, batch, first)] = number
                first += len(batch)
            while pending:
                collect()
        finally:
            # After an error, waiting requests would only delay the end of the attempt.
            pool.shutdown(cancel_futures=True)
        return total

    def select_missing(self, lines: Sequence[bytes]) -> list[int]:
        """Return the numbers of the lines whose events the server does not hold, and no rule leaves out.

        Of several lines with the same event, it returns the last one.

        :raises TransientError: the server did not recover within the patience
        """
        numbers: dict[DocumentKey, int] = {}
        for number, line in enumerate(lines):
            place = self.locate(line)
            if place.rule is None:
                numbers[self.index_of(place.day), place.id] = number
        return sorted(numbers[key] for key in find_missing(self._sender, list(numbers)))

    def replay(self, ids: Iterable[str] | None = None) -> LoadReport:
        """Load quarantined events again and return the counts of their outcomes.

        Events that are indexed now, or that a rule leaves out now, leave the quarantine. Events that are rejected
        again stay, with the new reason.

        :param ids: eventIDs; by default all quarantined events of the pattern
        :raises TransientError: the server did not recover within the patience
        :raises ConfigurationError: the server rejects more than a document
        """
        # A search does not see entries that a load has just stored.
        self._quarantine.refresh()
        total = LoadReport()
        for page in self._quarantine.read_pages(ids):
            total.add(self._delivery.replay(page))
        # The caller's next search must not see the entries that were deleted.
        self._quarantine.refresh()
        return total

    def count(self, ids: Iterable[str]) -> int:
        """Return how many of these documents the server holds, in the indices that this loader has loaded into."""
        check, wanted = self._make_presence_check(), list(ids)
        return sum(check.count(index, wanted) for index in sorted(self._adapter.index_names))

    def count_held(self, lines: Iterable[bytes]) -> HeldEvents:
        """Return how many of these lines' events the server holds, as `count_places` does."""
        return self.count_places(map(self.locate, lines))

    def count_places(self, places: Iterable[Place]) -> HeldEvents:
        """Return how many events the server holds, given each one's place; an indexed event leaves the quarantine.

        Each event is searched in the index of its own time, by that index's exact name (ADR-0016). If several
        threads count few events each, they share a refresh and a request.
        """
        remaining = iter(places)
        some = list(islice(remaining, _FEW))
        if len(some) < _FEW:
            return self._counts.ask(some)
        return self._make_presence_check().count_held(chain(some, remaining))

    def _count_groups(self, groups: Sequence[Sequence[Place]]) -> list[HeldEvents]:
        return self._make_presence_check().count_groups(groups)

    def _make_presence_check(self) -> PresenceCheck:
        return PresenceCheck(self._sender, self._quarantine, self._pattern)

    def _render(self, line: bytes) -> BatchEntry:
        rule = self._filter.find_rule(line)
        return self._adapter.render(line) if rule is None else LeftOut(rule)

    def _deliver(self, batch: list[BatchEntry], first: int) -> tuple[LoadReport, Outcomes]:
        report = LoadReport()
        return report, number_outcomes(batch, first, self._delivery.deliver(batch, report))
