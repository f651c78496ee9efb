"""Requests pages of events from CloudTrail's LookupEvents.

Its limits: 50 events for each page, 90 days, and two requests per second for each account and region
(https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html).
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_delay,
    wait_random_exponential,
)

from cloudtrail_elasticsearch.aws_errors import translate_errors
from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.documents.events import LookedUpEvent
from cloudtrail_elasticsearch.core.errors import (
    ClockSkewError,
    ExpiredCredentialsError,
    ThrottledError,
    TransientError,
)
from cloudtrail_elasticsearch.sources.lookup_events.answers import parse_events_fast, read_event
from cloudtrail_elasticsearch.sources.lookup_events.rate_limiter import RateLimiter

log = logging.getLogger(__name__)

REQUESTS_PER_SECOND: Final = 2.0
EVENTS_PER_PAGE: Final = 50
PATIENCE: Final = 300.0
"""Seconds for which the request of one page is retried. Then the attempt fails, and the next one resumes."""

_ONE_SECOND: Final = timedelta(seconds=1)
_LONGEST_PAUSE: Final = 20.0


@dataclass(frozen=True, slots=True)
class Page:
    """One LookupEvents answer, with the number of calls it took (more than one if AWS throttled or failed)."""

    events: tuple[LookedUpEvent, ...]
    token: str | None
    """The token of the next page; None if this is the last one."""
    calls: int
    throttled: int
    seconds: float
    """The duration of the last call."""
    misplaced: tuple[str, ...] = ()
    """Ids of events whose record names another account or region than the window's."""


class LookupEvents:
    """Requests pages of windows of one region; threads may share it.

    :param client: a boto3 CloudTrail client of the region. It must not retry by itself, because every call,
        repeated or not, needs a slot of the rate limiter
    :param patience: seconds for which the request of one page is retried
    """

    def __init__(self, client: Any, limiter: RateLimiter | None = None, patience: float = PATIENCE) -> None:
        self._client = client
        parse_events_fast(client)
        self._patience = patience
        self._counting = threading.Lock()
        self.limiter = limiter or RateLimiter(REQUESTS_PER_SECOND)
        self.calls = self.throttled = 0
        """The numbers of this client's calls, failed ones included, and of the throttled ones among them."""

    def request_page(self, window: Window, start: datetime, end: datetime, token: str | None = None) -> Page:
        """Return a page of the window's events from `start` (included) to `end` (excluded), both whole seconds.

        Both ends are fixed, so that new events cannot shift the pages; a token is valid only with the same ends.
        The API's EndTime is inclusive, so the request has the second before `end`. AWS may return any events in
        any order, so the caller must check their times (ADR-0015). The caller takes the rate limiter's slot for
        the first call; repeated calls take slots of their own.

        :raises ExpiredPageError: the token is no longer valid
        :raises AccessDeniedError: cloudtrail:LookupEvents is not allowed
        :raises TransientError: AWS throttles or fails for longer than the patience
        """
        request: dict[str, Any] = {
            "StartTime": start,
            "EndTime": end - _ONE_SECOND,
            # The most that AWS allows: the quota counts calls, not events.
            "MaxResults": EVENTS_PER_PAGE,
        }
        if window.source is Source.LOOKUP_INSIGHTS:
            # Without a category, CloudTrail returns only management events.
            request["EventCategory"] = "insight"
        if token:
            request["NextToken"] = token
        throttled = 0
        attempts = Retrying(
            retry=retry_if_exception(_can_retry),
            stop=stop_after_delay(self._patience),
            wait=_choose_pause,
            before_sleep=_log_retry,
            reraise=True,
        )
        for attempt in attempts:
            # The caller took the slot of the first call when it chose the slice (ADR-0015).
            if attempt.retry_state.attempt_number > 1:
                self.limiter.acquire()
            self._count(calls=1)
            began = time.monotonic()
            with attempt:
                try:
                    with translate_errors(f"Looking up events of {window.name}", "cloudtrail:LookupEvents"):
                        answer: dict[str, Any] = self._client.lookup_events(**request)
                except ThrottledError:
                    throttled += 1
                    self._count(throttled=1)
                    self.limiter.record_throttling()
                    raise
        # The latency of one call decides the number of pagers, so waiting for slots must not count.
        seconds = time.monotonic() - began
        self.limiter.record_success()
        found = [read_event(event, window) for event in answer.get("Events", ())]
        return Page(
            events=tuple(event for event, _ in found),
            # An empty token ends the query like a missing one.
            token=answer.get("NextToken") or None,
            calls=attempt.retry_state.attempt_number,
            throttled=throttled,
            seconds=seconds,
            misplaced=tuple(event.id for event, is_misplaced in found if is_misplaced),
        )

    def _count(self, calls: int = 0, throttled: int = 0) -> None:
        # The threads of all slices share the counters, and `+=` is not atomic.
        with self._counting:
            self.calls += calls
            self.throttled += throttled


def _can_retry(error: BaseException) -> bool:
    # Waiting does not help against these two: only a new attempt gets new credentials or finds a corrected clock.
    return isinstance(error, TransientError) and not isinstance(error, (ExpiredCredentialsError, ClockSkewError))


_exponential = wait_random_exponential(multiplier=0.5, max=_LONGEST_PAUSE)


def _choose_pause(state: RetryCallState) -> float:
    """Return the seconds to wait before a retry: none after throttling, which the rate limiter handles."""
    assert state.outcome is not None  # noqa: S101 - tenacity asks after an attempt
    return 0.0 if isinstance(state.outcome.exception(), ThrottledError) else _exponential(state)


def _log_retry(state: RetryCallState) -> None:
    assert state.outcome is not None  # noqa: S101 - tenacity asks after an attempt
    error = state.outcome.exception()
    # Throttling is normal while workers share a region's quota, so it is not a warning (ADR-0009).
    log.log(logging.DEBUG if isinstance(error, ThrottledError) else logging.WARNING, "%s Retrying.", error)
