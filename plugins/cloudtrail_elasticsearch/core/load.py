"""Loading: lines into documents, documents into bulk requests, and the count of what the server then holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from itertools import islice

from cloudtrail_elasticsearch.core import bulk, codec
from cloudtrail_elasticsearch.core.adapt import Adapter
from cloudtrail_elasticsearch.core.bulk import Answer, BulkItem, Refused
from cloudtrail_elasticsearch.core.events import Unreadable, parse_line
from cloudtrail_elasticsearch.core.index_setup import SearchServer
from cloudtrail_elasticsearch.core.mapping import IndexPattern
from cloudtrail_elasticsearch.core.normalize import Normalizer
from cloudtrail_elasticsearch.core.quarantine import IDS_PER_REQUEST, Entry, Quarantine
from cloudtrail_elasticsearch.core.send import MISSING_IS_EMPTY, LoadSettings, Sender
from cloudtrail_elasticsearch.core.shape import Shape

__all__ = ["Holding", "LoadReport", "LoadSettings", "Loader"]


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

    def acknowledge(self, answer: Answer) -> None:
        """Add what the server took."""
        self.indexed += answer.created
        self.duplicates += answer.updated


@dataclass(slots=True)
class Holding:
    """Of some events, how many the server holds, indexed or in quarantine; none is counted as both."""

    indexed: int = 0
    quarantined: int = 0


class Loader:
    """Loads events into the indices of one pattern on one server."""

    def __init__(
        self,
        server: SearchServer,
        pattern: IndexPattern,
        shape: Shape,
        settings: LoadSettings | None = None,
    ) -> None:
        self._settings = settings or LoadSettings()
        self._pattern = pattern
        self._shape = shape
        self._indices = ",".join(pattern.matches)
        self._normalizer = Normalizer(shape)
        self._sender = Sender(server, self._settings)
        self._adapter = Adapter(server, self._sender, pattern, shape)
        self._quarantine = Quarantine(self._sender, pattern.text)

    @property
    def target(self) -> str:
        """Where to and how it loads, as configured: equal targets get the same events findable.

        The server's address is no part of it, as it may change; whether the documents are there is asked. What
        was learned from refusals is no part of it either: documents that were taken before stay as they are.
        """
        return f"{self._pattern.text} {self._shape.fingerprint}"

    def prepare(self) -> None:
        """Make the index set-up, or bring it up to date, and read what was learned before.

        :raises MappingError: an index of ours has another strategy, or the server refuses the template
        """
        self._adapter.prepare()

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
        items = (self._adapter.item(line) for line in lines if line.strip())
        try:
            for batch in bulk.batches(items, settings.request_bytes, settings.request_items):
                if len(pending) >= settings.senders:
                    pending = _collect(pending, total, progress)
                pending.add(pool.submit(self._deliver, batch))
            while pending:
                pending = _collect(pending, total, progress)
        finally:
            pool.shutdown(cancel_futures=True)
        return total

    def replay(self, ids: Iterable[str] | None = None) -> LoadReport:
        """Load quarantined events again, the pattern's or those of these ids, and return what became of them.

        What is indexed now leaves the quarantine; what is refused again stays, with the new reason.

        :raises TransientError: the server did not recover within the patience
        :raises ConfigurationError: the server refuses more than a document
        """
        self._quarantine.refresh()
        total = LoadReport()
        for page in self._quarantine.pages() if ids is None else self._quarantine.pages_of(ids):
            total.add(self._replay(page))
        self._quarantine.refresh()
        return total

    def count(self, ids: Iterable[str]) -> int:
        """Ask the server how many of these documents its indices hold, as a search sees them."""
        self._refresh()
        return sum(map(self._count, _chunks(ids)))

    def holding(self, ids: Iterable[str]) -> Holding:
        """Ask the server how many of these events it holds; one that is indexed leaves the quarantine."""
        self._refresh()
        self._quarantine.refresh()
        nothing_quarantined = self._quarantine.is_empty()
        total = Holding()
        for some in _chunks(ids):
            total.indexed += self._count(some)
            if not nothing_quarantined:
                total.quarantined += self._still_quarantined(some)
        return total

    def _deliver(self, batch: list[BulkItem | Refused]) -> LoadReport:
        report = LoadReport(read=len(batch))
        self._send(batch, report)
        return report

    def _send(self, batch: list[BulkItem | Refused], report: LoadReport) -> set[str]:
        """Send a batch until every item is indexed or in quarantine; return the ids of those in quarantine."""
        lost = [entry for entry in batch if isinstance(entry, Refused)]
        answer = self._sender.send([entry for entry in batch if isinstance(entry, BulkItem)])
        report.acknowledge(answer)
        if answer.refused:
            answer = self._adapter.resend(answer.refused)
            report.acknowledge(answer)
            lost += answer.refused
        if lost:
            self._quarantine.put(map(self._public, lost))
        report.quarantined += len(lost)
        return {entry.item.id for entry in lost}

    def _replay(self, page: list[Entry]) -> LoadReport:
        report = LoadReport(read=len(page))
        batch = [self._adapter.item(entry.line, entry.id) for entry in page]
        lost = self._send(batch, report)
        self._quarantine.release(entry.id for entry in page if entry.id not in lost)
        return report

    def _public(self, refused: Refused) -> Refused:
        event = parse_line(refused.item.original)
        if isinstance(event, Unreadable):
            return refused
        line = self._normalizer.public_line(event, refused.item.original)
        return replace(refused, item=replace(refused.item, original=line))

    def _refresh(self) -> None:
        self._sender.ask("POST", f"/{self._indices}/_refresh?{MISSING_IS_EMPTY}")

    def _count(self, some: list[str]) -> int:
        query = codec.encode({"query": {"ids": {"values": some}}})
        count: int = self._sender.ask("POST", f"/{self._indices}/_count?{MISSING_IS_EMPTY}", query)["count"]
        return count

    def _still_quarantined(self, some: list[str]) -> int:
        held = self._quarantine.held(some)
        if not held:
            return 0
        query = {"size": len(held), "_source": False, "query": {"ids": {"values": sorted(held)}}}
        path = f"/{self._indices}/_search?{MISSING_IS_EMPTY}"
        hits = self._sender.ask("POST", path, codec.encode(query))["hits"]["hits"]
        indexed = {hit["_id"] for hit in hits}
        if indexed:
            self._quarantine.release(indexed)
        return len(held - indexed)


def _chunks(ids: Iterable[str]) -> Iterator[list[str]]:
    remaining = iter(ids)
    while some := list(islice(remaining, IDS_PER_REQUEST)):
        yield some


def _collect(
    pending: set[Future[LoadReport]], total: LoadReport, progress: Callable[[LoadReport], None] | None
) -> set[Future[LoadReport]]:
    done, left = wait(pending, return_when=FIRST_COMPLETED)
    for future in done:
        total.add(future.result())
    if progress is not None:
        progress(total)
    return left
