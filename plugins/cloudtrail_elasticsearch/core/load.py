"""Loading: lines into documents, documents into bulk requests, and the count of what the server then holds."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import islice
from typing import Any, Final

from tenacity import (
    Retrying,
    before_sleep_log,
    retry_if_exception_type,
    stop_after_delay,
    wait_random_exponential,
)

from cloudtrail_elasticsearch.core import bulk, codec
from cloudtrail_elasticsearch.core.bulk import BulkItem, Refused
from cloudtrail_elasticsearch.core.errors import RefusedError, ThrottledError, TooLargeError, TransientError
from cloudtrail_elasticsearch.core.events import Unreadable, content_id, parse_line
from cloudtrail_elasticsearch.core.index_setup import SearchServer, prepare
from cloudtrail_elasticsearch.core.mapping import QUARANTINE_INDEX, IndexPattern
from cloudtrail_elasticsearch.core.normalize import Normalizer
from cloudtrail_elasticsearch.core.shape import Shape

log = logging.getLogger(__name__)

IDS_PER_COUNT: Final = 10_000


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """The sizes and patience of a load; all of them bounded, so that memory is too."""

    request_bytes: int = 5 * 1024 * 1024
    request_items: int = 5_000
    senders: int = 2
    patience: float = 300.0
    """Seconds for which one request is tried again before the load gives up, for the next attempt to go on."""
    longest_pause: float = 20.0


@dataclass(slots=True)
class LoadReport:
    """What became of the events read: read = indexed + duplicates + quarantined."""

    read: int = 0
    indexed: int = 0
    """Documents that were not there before."""
    duplicates: int = 0
    """Documents that were, and now are the same again."""
    quarantined: int = 0

    def add(self, other: LoadReport) -> None:
        """Add another report's figures to these."""
        self.read += other.read
        self.indexed += other.indexed
        self.duplicates += other.duplicates
        self.quarantined += other.quarantined


class Loader:
    """Loads events into the indices of one pattern on one server."""

    def __init__(
        self,
        server: SearchServer,
        pattern: IndexPattern,
        shape: Shape,
        settings: LoadSettings | None = None,
    ) -> None:
        self._server = server
        self._pattern = pattern
        self._shape = shape
        self._normalizer = Normalizer(shape)
        self._settings = settings or LoadSettings()

    @property
    def target(self) -> str:
        """Where to and how it loads: equal targets get equal documents of equal events.

        The server's address is no part of it, as it may change; whether the documents are there is asked.
        """
        return f"{self._pattern.text} {self._shape.fingerprint}"

    def prepare(self) -> None:
        """Make the index set-up, or bring it up to date; see `index_setup.prepare`."""
        prepare(self._server, self._pattern, self._shape)

    def load(self, lines: Iterable[bytes], progress: Callable[[LoadReport], None] | None = None) -> LoadReport:
        """Load lines (staged ones or bare records) and return what became of them.

        `progress` is called with the figures so far, each time requests have been acknowledged. No more than
        `senders` requests and one batch are held at any time.

        :raises TransientError: the server did not recover within the patience
        :raises ConfigurationError: the server refuses more than a document
        """
        total = LoadReport()
        settings = self._settings
        pool = ThreadPoolExecutor(settings.senders, thread_name_prefix="bulk")
        pending: set[Future[LoadReport]] = set()
        try:
            for batch in self._batches(lines):
                if len(pending) >= settings.senders:
                    pending = _collect(pending, total, progress)
                pending.add(pool.submit(self._deliver, batch))
            while pending:
                pending = _collect(pending, total, progress)
        finally:
            pool.shutdown(cancel_futures=True)
        return total

    def count(self, ids: Iterable[str]) -> int:
        """Ask the server how many of these documents its indices hold, as a search sees them."""
        target = ",".join(self._pattern.matches)
        options = "ignore_unavailable=true&allow_no_indices=true"
        self._patiently("POST", f"/{target}/_refresh?{options}")
        found = 0
        remaining = iter(ids)
        while some := list(islice(remaining, IDS_PER_COUNT)):
            query = codec.encode({"query": {"ids": {"values": some}}})
            answer = self._patiently("POST", f"/{target}/_count?{options}", query)
            found += answer["count"]
        return found

    def _batches(self, lines: Iterable[bytes]) -> Iterator[list[BulkItem | Refused]]:
        items = (self._item(line) for line in lines if line.strip())
        return bulk.batches(items, self._settings.request_bytes, self._settings.request_items)

    def _item(self, line: bytes) -> BulkItem | Refused:
        event = parse_line(line)
        if isinstance(event, Unreadable):
            item = BulkItem(content_id(line), "", b"", line)
            return Refused(item, "unreadable", event.reason)
        document = self._normalizer.document(event)
        index = self._pattern.name(document.time)
        return BulkItem(document.id, index, codec.encode(document.source), line)

    def _deliver(self, batch: list[BulkItem | Refused]) -> LoadReport:
        """Send a batch until the server has acknowledged every item, and quarantine what it refuses."""
        refused = [entry for entry in batch if isinstance(entry, Refused)]
        items = [entry for entry in batch if isinstance(entry, BulkItem)]
        report = LoadReport(read=len(batch))
        refused += self._send(items, report)
        if refused:
            self._quarantine(refused)
        report.quarantined += len(refused)
        return report

    def _send(self, items: list[BulkItem], report: LoadReport) -> list[Refused]:
        if not items:
            return []
        refused: list[Refused] = []
        waiting = items

        def attempt() -> None:
            nonlocal waiting
            answer = bulk.read_answer(waiting, self._server.request("POST", "/_bulk", bulk.body(waiting)))
            report.indexed += answer.created
            report.duplicates += answer.updated
            refused.extend(answer.refused)
            waiting = answer.again
            if waiting:
                raise ThrottledError(
                    f"The search server did not take {len(waiting)} documents for {waiting[0].index} "
                    f"(eventID {waiting[0].id} is one), even after {self._settings.patience:.0f} s: "
                    f"{answer.why_again}. Nothing is lost: they are staged, and the next attempt sends them."
                )

        try:
            self._retrying()(attempt)
        except TooLargeError:
            if len(waiting) == 1:
                raise
            middle = len(waiting) // 2
            refused += self._send(waiting[:middle], report) + self._send(waiting[middle:], report)
        return refused

    def _quarantine(self, refused: list[Refused]) -> None:
        now = datetime.now(UTC).isoformat()
        items = []
        for entry in refused:
            log.warning("Quarantined %s (%s): %s", entry.item.id, entry.kind, entry.reason)
            content = {
                "quarantinedAt": now,
                "eventID": entry.item.id,
                "index": entry.item.index,
                "kind": entry.kind,
                "reason": entry.reason,
                "event": entry.item.original.decode("utf-8", "backslashreplace"),
            }
            items.append(BulkItem(entry.item.id, QUARANTINE_INDEX, codec.encode(content), b""))
        lost = self._send(items, LoadReport())
        if lost:
            raise RefusedError(
                f"The search server refuses even the quarantine of {lost[0].item.id}: {lost[0].reason}. "
                f"Nothing is lost: the event stays staged.",
                400,
            )

    def _patiently(self, method: str, path: str, body: bytes | None = None) -> Any:
        return self._retrying()(self._server.request, method, path, body)

    def _retrying(self) -> Retrying:
        settings = self._settings
        return Retrying(
            retry=retry_if_exception_type(TransientError),
            stop=stop_after_delay(settings.patience),
            wait=wait_random_exponential(multiplier=0.5, max=settings.longest_pause),
            before_sleep=before_sleep_log(log, logging.WARNING),
            reraise=True,
        )


def _collect(
    pending: set[Future[LoadReport]], total: LoadReport, progress: Callable[[LoadReport], None] | None
) -> set[Future[LoadReport]]:
    done, left = wait(pending, return_when=FIRST_COMPLETED)
    for future in done:
        total.add(future.result())
    if progress is not None:
        progress(total)
    return left
