"""Live runs: loads only the events that the server does not hold yet, and keeps the watermarks of regions."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from cloudtrail_elasticsearch.core.coalescer import Coalescer
from cloudtrail_elasticsearch.core.coverage.lookup_batches import LookupWindow
from cloudtrail_elasticsearch.core.coverage.watermarks import Place, Watermark, Watermarks
from cloudtrail_elasticsearch.core.documents.events import LookedUpEvent
from cloudtrail_elasticsearch.core.loading.loader import Loader, LoadSettings, Outcomes
from cloudtrail_elasticsearch.core.search.server import SearchServer


@dataclass(frozen=True, slots=True)
class LiveOutcome:
    """What became of some events."""

    loaded: int = 0
    """Events that the server did not hold before, quarantined ones included."""
    quarantined: int = 0
    newest: datetime | None = None
    """The time of the newest event among those that were loaded."""


class LiveLoad:
    """Loads events of several regions. Threads share it, and their events share requests.

    :param open_loader: returns the loader; it is called only if there are events
    """

    def __init__(self, open_loader: Callable[[], Loader]) -> None:
        self._open_loader = open_loader
        self._loads = Coalescer(self._load_all)

    def load(self, events: Sequence[LookedUpEvent]) -> LiveOutcome:
        """Load those events that the server does not hold, and return what became of them.

        Events that rules leave out are not loaded. If all others are on the server, nothing is written.

        :raises TransientError: the server did not recover within the patience
        :raises ConfigurationError: the server rejects more than a document
        """
        return self._loads.ask(events) if events else LiveOutcome()

    def _load_all(self, groups: Sequence[Sequence[LookedUpEvent]]) -> list[LiveOutcome]:
        events = [(group, event) for group, some in enumerate(groups) for event in some]
        loader = self._open_loader()
        missing = loader.select_missing([event.line for _, event in events])
        quarantined: Counter[int] = Counter()
        if missing:

            def count(outcomes: Outcomes) -> None:
                quarantined.update(events[missing[number]][0] for number in outcomes.quarantined)

            loader.prepare()
            loader.load((events[number][1].line for number in missing), on_outcomes=count)
        loaded: list[list[LookedUpEvent]] = [[] for _ in groups]
        for number in missing:
            group, event = events[number]
            loaded[group].append(event)
        return [_describe(some, quarantined[group]) for group, some in enumerate(loaded)]


def _describe(events: Sequence[LookedUpEvent], quarantined: int) -> LiveOutcome:
    return LiveOutcome(len(events), quarantined, max((event.time for event in events if event.time), default=None))


class SharedWatermarks(Watermarks):
    """Watermarks that threads may share: those that they record at the same time are stored by one request."""

    def __init__(self, server: SearchServer, pattern: str, settings: LoadSettings) -> None:
        super().__init__(server, pattern, settings)
        self._records = Coalescer(self._record_all)

    def record_one(self, watermark: Watermark) -> None:
        """Store a watermark; it replaces the place's earlier one.

        :raises RejectedRequestError: the server rejects the document
        """
        self._records.ask(watermark)

    def _record_all(self, watermarks: Sequence[Watermark]) -> list[None]:
        self.record(watermarks)
        return [None] * len(watermarks)


def find_place(asked: LookupWindow) -> Place:
    """Return the place of a planned window's region."""
    return Place(asked.window.account, asked.window.region, asked.window.source)
