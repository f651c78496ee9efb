"""The loader: renders lines as documents, sends them in bulk requests, and counts the documents on the server."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait

from cloudtrail_elasticsearch.core.documents.normalize import Normalizer
from cloudtrail_elasticsearch.core.documents.own_events import OwnEvents, is_own_line
from cloudtrail_elasticsearch.core.documents.schema import Schema
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern, make_index_lookup
from cloudtrail_elasticsearch.core.loading.adapter import Adapter
from cloudtrail_elasticsearch.core.loading.delivery import Delivery
from cloudtrail_elasticsearch.core.loading.places import Place, locate_line
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


class Loader:
    """Loads events into the indices of one pattern on one server. Threads may share it."""

    def __init__(
        self,
        server: SearchServer,
        pattern: IndexPattern,
        schema: Schema,
        settings: LoadSettings | None = None,
        own_events: OwnEvents = OwnEvents.KEEP,
    ) -> None:
        self._settings = settings or LoadSettings()
        self._pattern = pattern
        self._schema = schema
        self._own_events = own_events
        self._index_of = make_index_lookup(pattern)
        self._sender = Sender(server, self._settings)
        self._preparing = threading.Lock()
        self._is_prepared = False
        self._adapter = Adapter(server, self._sender, pattern, schema, own_events)
        self._quarantine = Quarantine(self._sender, pattern.text)
        # This normalizer only hides values in quarantined lines, so it marks no own events.
        self._delivery = Delivery(self._sender, self._adapter, self._quarantine, Normalizer(schema))

    @property
    def target(self) -> str:
        """The destination and the form of the documents, as configured. Loads with equal targets need no repeat.

        The server's address is not part of it, because it may change, and the loader verifies the documents on the
        server (ADR-0003). The rejected paths are not part of it, because documents that are indexed stay as they
        are (ADR-0006).
        """
        return f"{self._pattern.text} {self._schema.fingerprint} {self._own_events}"

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

    def replay(self, ids: Iterable[str] | None = None) -> LoadReport:
        """Load quarantined events again and return the counts of their outcomes.

        Events that are indexed now leave the quarantine. Events that are rejected again stay, with the new reason.

        :param ids: eventIDs; by default all quarantined events of the pattern
        :raises TransientError: the server did not recover within the patience
        :raises ConfigurationError: the server rejects more than a document
        """
        # A search does not see entries that a load has just stored.
        self._quarantine.refresh()
        total = LoadReport()
        for page in self._quarantine.read_pages() if ids is None else self._quarantine.read_pages_of(ids):
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
        return self.count_places(map(locate_line, lines))

    def count_places(self, places: Iterable[Place]) -> HeldEvents:
        """Return how many events the server holds, given each one's place; an indexed event leaves the quarantine.

        Each event is searched in the index of its own time, by that index's exact name (ADR-0016).
        """
        return self._make_presence_check().count_held(places, self._own_events)

    def index_of(self, day: str | None) -> str:
        """Return the index of the events of a day (``2026-11-20``); None for events without a time."""
        return self._index_of(day)

    def _make_presence_check(self) -> PresenceCheck:
        return PresenceCheck(self._sender, self._quarantine, self._pattern)

    def _render(self, line: bytes) -> BatchEntry:
        if self._own_events is OwnEvents.LEAVE_OUT and is_own_line(line):
            return LeftOut()
        return self._adapter.render(line)

    def _deliver(self, batch: list[BatchEntry], first: int) -> tuple[LoadReport, Outcomes]:
        report = LoadReport()
        return report, number_outcomes(batch, first, self._delivery.deliver(batch, report))
