"""Watermarks: how far live runs have followed each account and region; documents of the ledger's index.

They are in the ledger, and not in Airflow's database, so that every worker reads the same ones and the coverage
page shows them. They have no `pattern`, so that no query for cells finds them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import msgspec

from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.errors import RejectedRequestError
from cloudtrail_elasticsearch.core.index.index_pattern import COVERAGE_INDEX
from cloudtrail_elasticsearch.core.index.setup import prepare_ledger
from cloudtrail_elasticsearch.core.log_text import safe_text
from cloudtrail_elasticsearch.core.search.bulk import BulkItem
from cloudtrail_elasticsearch.core.search.sender import LoadSettings, Sender
from cloudtrail_elasticsearch.core.search.server import SearchServer

_PER_REQUEST: Final = 1_000


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """What a watermark is for: one region of one account, from one source."""

    account: str
    region: str
    source: Source = Source.LOOKUP_EVENTS
    kind: str = ""
    """The folder of a trail's kind of event, such as ``CloudTrail-Insight``; empty for LookupEvents."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Watermark:
    """How far a place was followed, as of the time `checked_at`."""

    place: Place
    until: datetime
    """All that AWS had returned for the time before it is loaded."""
    checked_at: datetime
    """The time at which this was recorded."""
    last_event: datetime | None = None
    """The time of the newest event that a live run has loaded."""
    day: date
    """The UTC day to which `events` belongs."""
    events: int = 0
    """The events that live runs have loaded on that day."""
    problem: str | None = None
    """Why the place falls behind, and what to do."""
    position: str = ""
    """Where an unfinished lookup or listing goes on, in a form of the source's own."""

    @property
    def lag(self) -> float:
        """The seconds by which `until` was behind when this was recorded."""
        return max(0.0, (self.checked_at - self.until).total_seconds())


class _Stored(msgspec.Struct, frozen=True):
    """A watermark's document."""

    watermark: datetime
    checked_at: datetime
    day: date
    last_event: datetime | None = None
    live_events: int = 0
    problem: str | None = None
    position: str = ""


class _Found(msgspec.Struct, frozen=True):
    """One document of an answer to ``_mget``."""

    source: _Stored | None = msgspec.field(name="_source", default=None)
    error: Any = None

    def __post_init__(self) -> None:
        # The index is missing before the first run. With any other error, the watermark would look new.
        if self.error is not None and "index_not_found_exception" not in str(self.error):
            raise ValueError(f"a watermark could not be read: {self.error}")


class _Answer(msgspec.Struct, frozen=True):
    docs: list[_Found]


class Watermarks:
    """The watermarks of one index pattern. Threads may share it.

    :param settings: the patience of requests
    """

    def __init__(self, server: SearchServer, pattern: str, settings: LoadSettings | None = None) -> None:
        self._server = server
        self._sender = Sender(server, settings or LoadSettings())
        self._pattern = pattern
        self._is_prepared = False

    def read(self, places: Sequence[Place]) -> dict[Place, Watermark]:
        """Return the watermarks of these places; a place that was never followed has none.

        It reads documents by their ids, so that the last ones are found without a refresh.
        """
        found: dict[Place, Watermark] = {}
        for first in range(0, len(places), _PER_REQUEST):
            some = places[first : first + _PER_REQUEST]
            body = codec.encode({"ids": [self._make_id(place) for place in some]})
            answer = self._sender.request(_Answer, "POST", f"/{COVERAGE_INDEX}/_mget", body)
            for place, each in zip(some, answer.docs, strict=True):
                if each.source is not None:
                    found[place] = _read_stored(place, each.source)
        return found

    def record(self, watermarks: Iterable[Watermark]) -> None:
        """Store watermarks in one request; each replaces the place's earlier one.

        :raises RejectedRequestError: the server rejects one of the documents
        """
        if not self._is_prepared:
            self._sender.retry(lambda: prepare_ledger(self._server))
            self._is_prepared = True
        items = [BulkItem(self._make_id(each.place), COVERAGE_INDEX, self._encode(each)) for each in watermarks]
        rejections = self._sender.send(items).rejections
        if rejections:
            why = safe_text(rejections[0].reason)
            raise RejectedRequestError(
                f"The search server rejected {len(rejections)} watermarks of live runs: {why}. Correct the index "
                f"{COVERAGE_INDEX}, then clear the task.",
                400,
            )

    def _make_id(self, place: Place) -> str:
        return f"live|{place.account}|{place.region}|{place.source}|{place.kind}|{self._pattern}"

    def _encode(self, watermark: Watermark) -> bytes:
        place = watermark.place
        return codec.encode(
            {
                "live_pattern": self._pattern,
                "account": place.account,
                "region": place.region,
                "source": place.source.value,
                "kind": place.kind,
                "watermark": _format_time(watermark.until),
                "checked_at": _format_time(watermark.checked_at),
                "last_event": _format_time(watermark.last_event),
                "day": str(watermark.day),
                "live_events": watermark.events,
                "problem": watermark.problem,
                "position": watermark.position,
            }
        )


def _read_stored(place: Place, stored: _Stored) -> Watermark:
    return Watermark(
        place=place,
        until=stored.watermark,
        checked_at=stored.checked_at,
        last_event=stored.last_event,
        day=stored.day,
        events=stored.live_events,
        problem=stored.problem,
        position=stored.position,
    )


def _format_time(time: datetime | None) -> str | None:
    return None if time is None else time.astimezone(UTC).isoformat().replace("+00:00", "Z")
