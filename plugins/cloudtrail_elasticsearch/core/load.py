"""Loading: lines into documents, documents into bulk requests, and the count of what the server then holds."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass, replace
from itertools import islice

import msgspec

from cloudtrail_elasticsearch.core import bulk, codec
from cloudtrail_elasticsearch.core.adapt import Adapter
from cloudtrail_elasticsearch.core.bulk import Answer, BulkItem, LeftOut, Refused
from cloudtrail_elasticsearch.core.events import Unreadable, line_id, parse_line
from cloudtrail_elasticsearch.core.index_setup import SearchServer
from cloudtrail_elasticsearch.core.ledger import Ledger
from cloudtrail_elasticsearch.core.mapping import IndexPattern
from cloudtrail_elasticsearch.core.normalize import Normalizer
from cloudtrail_elasticsearch.core.own import OwnEvents, is_own_line
from cloudtrail_elasticsearch.core.quarantine import IDS_PER_REQUEST, Entry, Quarantine
from cloudtrail_elasticsearch.core.send import MISSING_IS_EMPTY, LoadSettings, Sender
from cloudtrail_elasticsearch.core.shape import Shape

__all__ = ["Holding", "LoadReport", "LoadSettings", "Loader", "Progress"]


@dataclass(slots=True)
class LoadReport:
    """What became of the events read: read = indexed + duplicates + quarantined + left out."""

    read: int = 0
    indexed: int = 0
    """Documents that were not there before."""
    duplicates: int = 0
    """Documents that were, and now are the same again."""
    quarantined: int = 0
    left_out: int = 0
    """The loader's own events, where they are not wanted."""

    def add(self, other: LoadReport) -> None:
        """Add another report's figures to these."""
        self.read += other.read
        self.indexed += other.indexed
        self.duplicates += other.duplicates
        self.quarantined += other.quarantined
        self.left_out += other.left_out

    def plus(self, other: LoadReport) -> LoadReport:
        """Return a report of these figures and another's."""
        both = replace(self)
        both.add(other)
        return both

    def acknowledge(self, answer: Answer) -> None:
        """Add what the server took."""
        self.indexed += answer.created
        self.duplicates += answer.updated


@dataclass(slots=True)
class Holding:
    """Of some events, how many the server holds, indexed or in quarantine; none is counted as both."""

    indexed: int = 0
    quarantined: int = 0
    own: int = 0
    """How many are the loader's own."""
    left_out: int = 0
    """How many of these are not to be indexed, and so are not asked for."""


Progress = Callable[[LoadReport, int], None]
"""Is told the figures so far, and how many events from the first on, without a gap, are acknowledged."""


class Loader:
    """Loads events into the indices of one pattern on one server."""

    def __init__(
        self,
        server: SearchServer,
        pattern: IndexPattern,
        shape: Shape,
        settings: LoadSettings | None = None,
        own_events: OwnEvents = OwnEvents.KEEP,
    ) -> None:
        self._server = server
        self._settings = settings or LoadSettings()
        self._pattern = pattern
        self._shape = shape
        self._indices = ",".join(pattern.matches)
        self._own_events = own_events
        self._normalizer = Normalizer(shape)
        self._sender = Sender(server, self._settings)
        self._adapter = Adapter(server, self._sender, pattern, shape, own_events)
        self._quarantine = Quarantine(self._sender, pattern.text)

    @property
    def target(self) -> str:
        """Where to and how it loads, as configured: equal targets get the same events findable.

        The server's address is no part of it, as it may change; whether the documents are there is asked. What
        was learned from refusals is no part of it either: documents that were taken before stay as they are.
        """
        return f"{self._pattern.text} {self._shape.fingerprint} {self._own_events}"

    @property
    def pattern(self) -> IndexPattern:
        """The indices that it loads into."""
        return self._pattern

    @property
    def ledger(self) -> Ledger:
        """Where its cells are noted."""
        return Ledger(self._server, self._pattern.text, self._settings)

    def prepare(self) -> None:
        """Make the index set-up, or bring it up to date, and read what was learned before.

        :raises MappingError: an index of ours has another strategy, or the server refuses the template
        """
        self._sender.patiently(self._adapter.prepare)

    def load(self, lines: Iterable[bytes], progress: Progress | None = None) -> LoadReport:
        """Load lines (staged ones or bare records) and return what became of them.

        `progress` is called each time a request has been acknowledged. No more than `senders` requests and one
        batch are held at any time, and none is sent that is `2 * senders` or more after one that has no answer:
        that many are sent again at most, when a load is killed and goes on.

        :raises TransientError: the server did not recover within the patience
        :raises ConfigurationError: the server refuses more than a document
        """
        total = LoadReport()
        settings = self._settings
        pool = ThreadPoolExecutor(settings.senders, thread_name_prefix="bulk")
        pending: dict[Future[LoadReport], int] = {}
        acknowledged = _Acknowledged()
        items = (self._item(line) for line in lines if line.strip())

        def collect() -> None:
            for future in wait(pending, return_when=FIRST_COMPLETED).done:
                report = future.result()
                acknowledged.add(pending.pop(future), report.read)
                total.add(report)
            if progress is not None:
                progress(total, acknowledged.events)

        try:
            for number, batch in enumerate(bulk.batches(items, settings.request_bytes, settings.request_items)):
                while len(pending) >= settings.senders or number - acknowledged.requests >= 2 * settings.senders:
                    collect()
                pending[pool.submit(self._deliver, batch)] = number
            while pending:
                collect()
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

    def holding(self, lines: Iterable[bytes]) -> Holding:
        """Ask the server how many of these lines' events it holds; one that is indexed leaves the quarantine."""
        self._refresh()
        self._quarantine.refresh()
        nothing_quarantined = self._quarantine.is_empty()
        total = Holding()
        for some in _chunks(self._asked_for(lines, total)):
            total.indexed += self._count(some)
            if not nothing_quarantined:
                total.quarantined += self._still_quarantined(some)
        return total

    def _asked_for(self, lines: Iterable[bytes], total: Holding) -> Iterator[str]:
        for line in lines:
            if is_own_line(line):
                total.own += 1
                if self._own_events is OwnEvents.LEAVE_OUT:
                    total.left_out += 1
                    continue
            yield line_id(line)

    def _item(self, line: bytes) -> BulkItem | Refused | LeftOut:
        if self._own_events is OwnEvents.LEAVE_OUT and is_own_line(line):
            return LeftOut()
        return self._adapter.item(line)

    def _deliver(self, batch: list[BulkItem | Refused | LeftOut]) -> LoadReport:
        sent = [entry for entry in batch if not isinstance(entry, LeftOut)]
        report = LoadReport(read=len(batch), left_out=len(batch) - len(sent))
        self._send(sent, report)
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
        return replace(refused, item=msgspec.structs.replace(refused.item, original=line))

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


class _Acknowledged:
    """Counts the events of requests that were acknowledged, up to the first request that was not."""

    def __init__(self) -> None:
        self.events = 0
        self.requests = 0
        self._ahead: dict[int, int] = {}

    def add(self, number: int, events: int) -> None:
        """Note the acknowledgement of a request."""
        self._ahead[number] = events
        while self.requests in self._ahead:
            self.events += self._ahead.pop(self.requests)
            self.requests += 1
