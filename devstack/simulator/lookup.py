"""LookupEvents without HTTP: it answers a request with a page."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import Any, Final

from devstack.simulator import answer, errors
from devstack.simulator.request import LookupRequest
from devstack.simulator.store import NEWEST, Entry, EventStore, Position, Span
from devstack.simulator.tokens import InvalidTokenError, Tokens

LOOKBACK: Final = 90 * 86_400
"""How far back LookupEvents looks, in seconds."""

_RECORDS_SCANNED: Final = 1_000
_IDS_SCANNED: Final = 100_000


@dataclass(frozen=True, slots=True)
class Page:
    """An answer: its events, and the token of the next page if there can be one."""

    events: tuple[dict[str, Any], ...]
    token: str | None

    @property
    def body(self) -> dict[str, Any]:
        """Return the answer's JSON."""
        more = {"NextToken": self.token} if self.token else {}
        return {"Events": self.events, **more}


class Lookup:
    """Answers requests from stores of events that have arrived. `now` returns epoch seconds.

    :param store: the management events
    :param insights: the Insights events, which only a request with their category gets
    """

    def __init__(self, store: EventStore, insights: EventStore, tokens: Tokens, now: Callable[[], float]) -> None:
        self._store = store
        self._insights = insights
        self._tokens = tokens
        self._now = now

    def page(self, request: LookupRequest) -> Page:
        """Return a page of events, newest first.

        A page of a request with a lookup attribute ends after a number of events that do not match, so that no
        answer takes long. Like a page of AWS, it can be empty and still have a token.

        :raises ApiError: the token is not valid for this request
        """
        before = self._position(request)
        store = self._insights if request.insight else self._store
        entries = store.newest_first(self.span(request), before)
        matching, scanned = _filter(request.attribute)
        found: list[dict[str, Any]] = []
        for entry in itertools.islice(entries, scanned):
            if len(found) == request.most:
                return Page(tuple(found), self._token(request, before))
            event = matching(entry)
            if event is not None:
                found.append(event)
            before = entry.position
        more = next(entries, None) is not None
        return Page(tuple(found), self._token(request, before) if more else None)

    def place(self, request: LookupRequest) -> tuple[Hashable, Hashable]:
        """Return the identity of a page: its request without the token, and the position where the page begins.

        Two tokens of the same place differ, because each contains the time at which it was made.

        :raises ApiError: the token is not valid for this request
        """
        return request.identity, self._position(request)

    def token(self, request: LookupRequest) -> str:
        """Return a fresh token for a request that begins where the request's own token does."""
        return self._token(request, self._position(request))

    def span(self, request: LookupRequest) -> Span:
        """Return the requested range, cut to the last 90 days."""
        now = int(self._now())
        start = max(request.start or 0, now - LOOKBACK)
        return Span(request.account, request.region, start, now if request.end is None else request.end)

    def _position(self, request: LookupRequest) -> Position:
        if request.token is None:
            return NEWEST
        try:
            return self._tokens.read(request.token, request.identity, self._now())
        except InvalidTokenError as error:
            raise errors.invalid_token(str(error)) from error

    def _token(self, request: LookupRequest, before: Position) -> str:
        return self._tokens.make(before, request.identity, self._now())


def _filter(attribute: tuple[str, str] | None) -> tuple[Callable[[Entry], dict[str, Any] | None], int]:
    """Return the function that makes the event of a matching entry, and the most entries to check per answer."""
    if attribute is None:
        return answer.event, _RECORDS_SCANNED
    key, value = attribute
    if key == "EventId":
        return lambda entry: answer.event(entry) if entry.id == value else None, _IDS_SCANNED

    def matching(entry: Entry) -> dict[str, Any] | None:
        event = answer.event(entry)
        return event if answer.matches(event, key, value) else None

    return matching, _RECORDS_SCANNED
