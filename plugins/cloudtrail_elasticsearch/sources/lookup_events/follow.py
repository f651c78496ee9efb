"""Follows a region with LookupEvents: looks up the time since its watermark, and moves the watermark (ADR-0024).

Nothing here proves that a day is complete: the daily run does. A live run can miss an event that CloudTrail
delivers later than the overlap. But it moves a watermark only over events that the search server has acknowledged.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol

from cloudtrail_elasticsearch.core.coverage.watermarks import Place, Watermark
from cloudtrail_elasticsearch.core.coverage.windows import Window, midnight
from cloudtrail_elasticsearch.core.documents.events import LookedUpEvent
from cloudtrail_elasticsearch.core.errors import ExpiredPageError, LoaderError, StuckLookupError
from cloudtrail_elasticsearch.core.run_clock import RunClock
from cloudtrail_elasticsearch.sources.lookup_events.client import (
    EVENTS_PER_PAGE,
    REQUESTS_PER_SECOND,
    LookupEvents,
    Page,
)
from cloudtrail_elasticsearch.sources.lookup_events.live_progress import LiveProgress, LiveQuery
from cloudtrail_elasticsearch.sources.lookup_events.quota_sharing import QuotaSharing
from cloudtrail_elasticsearch.sources.lookup_events.sharers import LIVE, Sharers

log = logging.getLogger(__name__)

REACH: Final = timedelta(days=1)
"""A live run catches up from the start of the day before: the daily runs load and prove all earlier days."""

_JUDGED_AFTER: Final = 30.0
"""The least seconds of work that show whether a region's volume exceeds its quota."""


class Outcome(Protocol):
    """What became of the events of a page."""

    @property
    def loaded(self) -> int:
        """Events that the server did not hold before."""

    @property
    def quarantined(self) -> int:
        """Events among them that the server rejected."""

    @property
    def newest(self) -> datetime | None:
        """The time of the newest event among them."""


@dataclass(slots=True)
class Followed:
    """The figures of one run's work on a region."""

    looked_up: int = 0
    calls: int = 0
    throttled: int = 0
    loaded: int = 0
    quarantined: int = 0
    lag: float = 0.0
    """The seconds by which the watermark is behind at the end."""


class Follower:
    """Follows regions; threads may share it.

    :param load: loads events, and returns only when the server has acknowledged them
    :param record: stores a watermark
    :param open_sharers: returns the workers that share the quota of a window's region
    :param overlap: the time that CloudTrail may take to deliver an event: so much is looked up again
    """

    def __init__(
        self,
        load: Callable[[Sequence[LookedUpEvent]], Outcome],
        record: Callable[[Watermark], None],
        open_sharers: Callable[[Window], Sharers],
        clock: RunClock,
        overlap: timedelta,
    ) -> None:
        self._load = load
        self._record = record
        self._open_sharers = open_sharers
        self._clock = clock
        self._overlap = overlap

    def follow(self, place: Place, source: LookupEvents, known: Watermark | None) -> Followed:
        """Load a region's new events up to the run's start, and move its watermark.

        It makes one request at least, and begins no further one when the run's work is over; then the next run
        goes on. If a process is killed, the next attempt repeats at most the last request.

        :param known: the region's watermark; None if it was never followed
        :raises AccessDeniedError: a permission is missing
        :raises StuckLookupError: AWS's answers to a query make no progress
        :raises TransientError: AWS or the search server did not recover within the patience
        """
        work = _RegionWork(self._clock, place, known)
        with ExitStack() as sharing:
            while (query := work.progress.choose_query(self._clock.now(), work.goal)) is not None:
                if work.figures.calls and self._clock.is_over:
                    break
                if work.figures.calls == 1:
                    # Most regions need one request, so that only the others announce themselves (ADR-0009).
                    sharing.enter_context(QuotaSharing(self._open_sharers(work.window), LIVE, source.limiter))
                self._take_page(work, query, source)
        work.conclude(self._record)
        return work.figures

    def _take_page(self, work: _RegionWork, query: LiveQuery, source: LookupEvents) -> None:
        source.limiter.acquire()
        try:
            page = source.request_page(work.window, query.start, query.end, query.token)
            if page.token is not None and page.token == query.token:
                # The next run starts a new query.
                work.progress = work.progress.without_query()
                raise StuckLookupError(
                    f"Looking up events of {work.window.name} is stuck: AWS returned the same token for the next "
                    f"page again. The next run looks this time up again."
                )
        except ExpiredPageError as error:
            log.info("%s %s is looked up again from %s.", error, work.window.name, query.start)
            work.figures.calls += 1
            work.progress = work.progress.without_query()
            return
        except LoaderError as error:
            # So that the coverage page shows the reason, too.
            self._record(work.make_watermark(str(error)))
            raise
        outcome = self._load(page.events)
        work.add(page, outcome)
        work.progress = work.progress.go_on(query, page.token, self._overlap)
        # Only after the load: a watermark promises that the server has the events before it.
        if work.progress.query is not None or work.progress.until < work.goal:
            self._record(work.make_watermark(work.known_problem))


class _RegionWork:
    """The work of one run on one region."""

    def __init__(self, clock: RunClock, place: Place, known: Watermark | None) -> None:
        self._clock = clock
        self._place = place
        self.known = known
        self.goal = clock.start.replace(microsecond=0)
        today = midnight(self.goal.date())
        self.window = Window(place.account, place.region, today, self.goal, place.source)
        if known is None:
            self.progress = LiveProgress(today, today)
        else:
            self.progress = LiveProgress.from_position(known.until, known.position).move_up(today - REACH)
            if self.progress.until > known.until:
                log.warning(
                    "%s was followed up to %s only; this run goes on at %s. The daily runs load the time between.",
                    self.window.name,
                    known.until,
                    self.progress.until,
                )
        self._first = self.progress
        self._oldest: datetime | None = None
        self._newest = known.last_event if known else None
        self.known_problem = known.problem if known else None
        """The problem that the last watermark names."""
        self.figures = Followed()

    def add(self, page: Page, outcome: Outcome) -> None:
        """Add a page's figures."""
        figures = self.figures
        figures.looked_up += len(page.events)
        figures.calls += page.calls
        figures.throttled += page.throttled
        figures.loaded += outcome.loaded
        figures.quarantined += outcome.quarantined
        self._newest = max((time for time in (self._newest, outcome.newest) if time), default=None)
        self._oldest = min((event.time for event in page.events if event.time), default=self._oldest)

    def make_watermark(self, problem: str | None) -> Watermark:
        """Return the region's watermark as it is now."""
        now = self._clock.now()
        earlier = self.known.events if self.known and self.known.day == now.date() else 0
        return Watermark(
            place=self._place,
            until=self.progress.until,
            checked_at=now,
            last_event=self._newest,
            day=now.date(),
            events=earlier + self.figures.loaded,
            problem=problem,
            position=self.progress.position,
        )

    def conclude(self, record: Callable[[Watermark], None]) -> None:
        """Find the lag, and record the watermark unless nothing happened."""
        problem = self._describe_problem()
        if problem:
            log.warning("%s: %s", self.window.name, problem)
        self.figures.lag = max(0.0, (self._clock.now() - self.progress.until).total_seconds())
        if (
            self.known is None
            or self.figures.loaded
            # Otherwise the next run would look up the same pages again.
            or self.figures.calls > 1
            or problem != self.known_problem
            or self._first.query is not None
        ):
            record(self.make_watermark(problem))

    def _describe_problem(self) -> str | None:
        """Return how far the region is behind, why and what to do; None if it is not behind."""
        if self.progress.until >= self.goal:
            return None
        behind = (self._clock.now() - self.progress.until).total_seconds() / 60
        worked, covered = self._clock.elapsed, self._measure_covered()
        if worked < _JUDGED_AFTER or covered >= worked:
            return f"It is {behind:.0f} minutes behind, and catches up in the next runs."
        needed = f"{60 * worked / covered:.0f} s" if covered else "more than the run"
        return (
            f"It is {behind:.0f} minutes behind, and falls further behind: to look up one minute of it takes "
            f"{needed}. The quota of LookupEvents is {REQUESTS_PER_SECOND:.0f} requests a second of "
            f"{EVENTS_PER_PAGE} events. Load this region from a trail (docs/trails.md)."
        )

    def _measure_covered(self) -> float:
        """Return the seconds of the region's time that this run has looked up."""
        covered = (self.progress.until - self._first.until).total_seconds()
        query = self.progress.query
        if query is not None and self._oldest is not None:
            # AWS returns the newest events first. This is only an estimate for a message, so it may rely on that.
            covered += max(0.0, (query.end - max(self._oldest, self.progress.until)).total_seconds())
        return covered
