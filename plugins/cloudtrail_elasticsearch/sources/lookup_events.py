"""Events from CloudTrail's LookupEvents, page by page.

https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html: 50 events a page, newest
first, 90 days, two requests a second per account and region.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from cloudtrail_elasticsearch.aws_errors import told
from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.pace import TokenBucket
from cloudtrail_elasticsearch.core.windows import Window

REQUESTS_PER_SECOND: Final = 2.0
EVENTS_PER_PAGE: Final = 50

_ONE_SECOND: Final = timedelta(seconds=1)


@dataclass(frozen=True, slots=True)
class LookedUpEvent:
    """An event as it is staged: its line, and by what it is told from others."""

    id: str
    time: datetime
    line: bytes


@dataclass(frozen=True, slots=True)
class Page:
    """One LookupEvents answer, with the calls it took (more than one where AWS throttled or failed)."""

    events: tuple[LookedUpEvent, ...]
    calls: int


class LookupEvents:
    """Pages through a window; `client` is a boto3 CloudTrail client of the window's region."""

    def __init__(self, client: Any, pace: TokenBucket | None = None) -> None:
        self._client = client
        self._pace = pace or TokenBucket(REQUESTS_PER_SECOND)

    def pages(self, window: Window) -> Iterator[Page]:
        """Yield every page of a window, newest events first; a quiet window costs one call.

        Both ends are fixed before the first page, so that new events cannot shift the pages. The API's
        EndTime is inclusive and whole seconds are what it knows, so the last second before `end` is asked for.

        :raises AccessDeniedError: cloudtrail:LookupEvents is not allowed
        :raises TransientError: throttled or failing for longer than the client retries
        """
        request: dict[str, Any] = {
            "StartTime": window.start,
            "EndTime": window.end - _ONE_SECOND,
            "MaxResults": EVENTS_PER_PAGE,
        }
        while True:
            self._pace.take()
            with told(f"Looking up events of {window.name}", "cloudtrail:LookupEvents"):
                answer = self._client.lookup_events(**request)
            yield Page(
                events=tuple(_staged(event) for event in answer.get("Events", ())),
                calls=1 + answer["ResponseMetadata"].get("RetryAttempts", 0),
            )
            token = answer.get("NextToken")
            if not token:
                return
            request["NextToken"] = token


def _staged(event: dict[str, Any]) -> LookedUpEvent:
    """Make the staged line: CloudTrail's own text as it is, beside what LookupEvents wrote around it."""
    lookup = {name: value for name, value in event.items() if name != "CloudTrailEvent"}
    time: datetime = event["EventTime"]
    lookup["EventTime"] = time.isoformat()
    record = _one_line_object(event.get("CloudTrailEvent", ""))
    return LookedUpEvent(event["EventId"], time, b'{"lookup":%b,"event":%b}' % (codec.encode(lookup), record))


def _one_line_object(text: str) -> bytes:
    """Return the text itself where it is a JSON object on one line, else the text as a JSON string."""
    try:
        if "\n" not in text and "\r" not in text and isinstance(codec.decode(text), dict):
            return text.encode()
    except ValueError:  # UnicodeEncodeError is one, too
        pass
    return codec.encode(text)
