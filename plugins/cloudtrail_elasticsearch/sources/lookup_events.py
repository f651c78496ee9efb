"""Events from CloudTrail's LookupEvents, page by page.

https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html: 50 events a page, newest
first, 90 days, two requests a second per account and region.
"""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from tenacity import (
    RetryCallState,
    Retrying,
    retry_if_exception,
    stop_after_delay,
    wait_random_exponential,
)

from cloudtrail_elasticsearch.aws_errors import told
from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.errors import ExpiredCredentialsError, ThrottledError, TransientError
from cloudtrail_elasticsearch.core.events import LookedUpEvent
from cloudtrail_elasticsearch.core.pace import Pace
from cloudtrail_elasticsearch.core.windows import Window

log = logging.getLogger(__name__)

REQUESTS_PER_SECOND: Final = 2.0
EVENTS_PER_PAGE: Final = 50
PATIENCE: Final = 300.0
"""Seconds for which one page is asked for again before the attempt gives up, for the next one to go on."""

_ONE_SECOND: Final = timedelta(seconds=1)
_LONGEST_PAUSE: Final = 20.0


@dataclass(frozen=True, slots=True)
class Page:
    """One LookupEvents answer, with the calls it took (more than one where AWS throttled or failed)."""

    events: tuple[LookedUpEvent, ...]
    token: str | None
    """The next page's, None where this is the last one."""
    calls: int
    throttled: int
    seconds: float
    """How long the last of the calls took."""


class LookupEvents:
    """Asks for pages of a window; `client` is a boto3 CloudTrail client of its region, which threads may share.

    The client must not retry by itself: every call has its slot in the pace, repeated ones too.
    """

    def __init__(self, client: Any, pace: Pace | None = None, patience: float = PATIENCE) -> None:
        self._client = client
        self._patience = patience
        self._counting = threading.Lock()
        self.pace = pace or Pace(REQUESTS_PER_SECOND)
        self.calls = self.throttled = 0
        """Of this client's, those included that came to nothing."""

    def page(self, window: Window, until: datetime, token: str | None = None) -> Page:
        """Return a page of the window's events before `until`, the newest first.

        Both ends are fixed, so that new events cannot shift the pages, and a token is valid with equal ends
        alone. The API's EndTime is inclusive and whole seconds are what it knows, so the last second before
        `until` is asked for.

        :raises ExpiredPageError: the token is no longer valid
        :raises AccessDeniedError: cloudtrail:LookupEvents is not allowed
        :raises TransientError: throttled or failing for longer than the patience
        """
        request: dict[str, Any] = {
            "StartTime": window.start,
            "EndTime": until - _ONE_SECOND,
            "MaxResults": EVENTS_PER_PAGE,
        }
        if token:
            request["NextToken"] = token
        effort = Page((), None, 0, 0, 0.0)

        def ask() -> dict[str, Any]:
            nonlocal effort
            self.pace.take()
            effort = replace(effort, calls=effort.calls + 1)
            self._count(calls=1)
            began = time.monotonic()
            try:
                with told(f"Looking up events of {window.name}", "cloudtrail:LookupEvents"):
                    answer: dict[str, Any] = self._client.lookup_events(**request)
            except ThrottledError:
                effort = replace(effort, throttled=effort.throttled + 1)
                self._count(throttled=1)
                self.pace.throttled()
                raise
            self.pace.passed()
            effort = replace(effort, seconds=time.monotonic() - began)
            return answer

        answer = self._retrying()(ask)
        events = tuple(_looked_up(event) for event in answer.get("Events", ()))
        return replace(effort, events=events, token=answer.get("NextToken") or None)

    def _count(self, calls: int = 0, throttled: int = 0) -> None:
        with self._counting:
            self.calls += calls
            self.throttled += throttled

    def _retrying(self) -> Retrying:
        return Retrying(
            retry=retry_if_exception(_passes),
            stop=stop_after_delay(self._patience),
            wait=_pause,
            before_sleep=_tell,
            reraise=True,
        )


def _passes(error: BaseException) -> bool:
    return isinstance(error, TransientError) and not isinstance(error, ExpiredCredentialsError)


_exponential = wait_random_exponential(multiplier=0.5, max=_LONGEST_PAUSE)


def _pause(state: RetryCallState) -> float:
    """Throttling is answered by the pace, which every thread keeps; a fault by waiting."""
    assert state.outcome is not None  # noqa: S101 - tenacity asks after an attempt
    return 0.0 if isinstance(state.outcome.exception(), ThrottledError) else _exponential(state)


def _tell(state: RetryCallState) -> None:
    assert state.outcome is not None  # noqa: S101 - tenacity asks after an attempt
    error = state.outcome.exception()
    log.log(logging.DEBUG if isinstance(error, ThrottledError) else logging.WARNING, "%s Trying again.", error)


def _looked_up(event: dict[str, Any]) -> LookedUpEvent:
    """Make the staged line: CloudTrail's own text as it is, beside what LookupEvents wrote around it."""
    lookup = {name: value for name, value in event.items() if name != "CloudTrailEvent"}
    happened: datetime = event["EventTime"].astimezone(UTC)
    lookup["EventTime"] = happened.isoformat()
    record = _one_line_object(event.get("CloudTrailEvent", ""))
    return LookedUpEvent(event["EventId"], happened, b'{"lookup":%b,"event":%b}' % (codec.encode(lookup), record))


def _one_line_object(text: str) -> bytes:
    """Return the text itself where it is a JSON object on one line, else the text as a JSON string."""
    try:
        if "\n" not in text and "\r" not in text and isinstance(codec.decode(text), dict):
            return text.encode()
    except ValueError:  # UnicodeEncodeError is one, too
        pass
    return codec.encode(text)
