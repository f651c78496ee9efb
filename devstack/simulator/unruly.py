"""Answers in any order, out of range or without an end, for tests: AWS promises none of these.

https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_LookupEvents.html names newest first
as the order. It does not promise that tokens live for long, that they differ, or that a page has events.
"""

from __future__ import annotations

import threading
from collections.abc import Hashable, Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from devstack.simulator import answer, errors
from devstack.simulator.draw import uniform
from devstack.simulator.lookup import Lookup, Page
from devstack.simulator.request import LookupRequest
from devstack.simulator.store import EventStore, Span

ORDERS: Final = ("newest", "oldest", "disordered")
TOKENS: Final = ("fresh", "looping", "same_page", "empty_pages")
_A_DAY: Final = 86_400


@dataclass(frozen=True, slots=True)
class Answers:
    """The way in which LookupEvents answers. By default it answers normally.

    `order` is newest, oldest, or disordered by up to `disorder` seconds. `strays` events from before StartTime and
    as many from after EndTime are on every page, or only on page `strays_on` of a query, counted from 1. `repeats`
    events of the previous page come again. `tokens` are fresh, looping (from page 3 back to page 2), same_page (a
    fresh token with the first page each time) or empty_pages (a fresh token without events each time).
    `expire_at_use`: the token use of a query, counted from 1, from which on tokens have expired. `without` names
    members of events to leave out, `instead` has values that replace those of members.
    """

    order: str = "newest"
    disorder: int = 0
    strays: int = 0
    strays_on: int | None = None
    repeats: int = 0
    tokens: str = "fresh"
    expire_at_use: int | None = None
    without: tuple[str, ...] = ()
    instead: tuple[tuple[str, Any], ...] = ()
    region: str | None = None

    def __post_init__(self) -> None:
        if self.order not in ORDERS or self.tokens not in TOKENS:
            raise ValueError(f"order is one of {ORDERS}, tokens one of {TOKENS}")

    @classmethod
    def read(cls, body: dict[str, Any]) -> Answers:
        """Return the answers that a JSON object describes.

        :raises TypeError: it has an unknown name
        :raises ValueError: it has an unknown value
        """
        lists = {"without": tuple(body.get("without", ())), "instead": tuple(body.get("instead", {}).items())}
        return cls(**{**body, **lists})

    def as_json(self) -> dict[str, Any]:
        """Return them in the form that `read` takes."""
        return {**asdict(self), "instead": dict(self.instead)}


class UnrulyLookup:
    """Answers as `answers` describes; with the default ones, and for Insights events, like `Lookup`."""

    def __init__(self, lookup: Lookup, store: EventStore) -> None:
        self._lookup = lookup
        self._store = store
        self._lock = threading.Lock()
        self._uses: dict[str, int] = {}
        self._first: dict[bytes, str] = {}
        self.answers = Answers()

    def page(self, request: LookupRequest) -> Page:
        """Return a page of events.

        :raises ApiError: the token is not valid for this request, or has expired
        """
        answers = self.answers
        if answers == Answers() or request.insight or answers.region not in (None, request.region):
            return self._lookup.page(request)
        use = self._use(request, answers)
        page = self._tokens(request, self._ordered(request, use, answers), use, answers)
        if answers.repeats and use:
            page = replace(page, events=page.events + self._before(request, use, answers))
        events = page.events
        if answers.strays and answers.strays_on in (None, use + 1):
            events = (*self._strays(request, answers.strays), *events)
        return replace(page, events=tuple(_changed(event, answers) for event in events))

    def place(self, request: LookupRequest) -> tuple[Hashable, Hashable]:
        """Return the identity of a page: its request without the token, and the position where the page begins."""
        if self.answers == Answers() or request.insight:
            return self._lookup.place(request)
        return request.identity, self._uses.get(request.token, 1) if request.token else 0

    def _use(self, request: LookupRequest, answers: Answers) -> int:
        """Return the number of the requested page in its query, counted from 0."""
        if request.token is None:
            return 0
        with self._lock:
            use = self._uses.get(request.token, 1)
        if answers.expire_at_use is not None and use >= answers.expire_at_use:
            raise errors.invalid_token("expired")
        return use

    def _ordered(self, request: LookupRequest, use: int, answers: Answers) -> Page:
        if answers.order == "newest":
            return self._lookup.page(request)
        events = self._sorted(request, answers)
        begin = use * request.most
        found = tuple(answer.event(entry) for entry in events[begin : begin + request.most])
        return Page(found, self._lookup.token(request) if begin + request.most < len(events) else None)

    def _sorted(self, request: LookupRequest, answers: Answers) -> list[Any]:
        entries = list(self._store.newest_first(self._lookup.span(request)))
        if answers.order == "oldest":
            return entries[::-1]
        return sorted(
            entries, key=lambda entry: entry.time + answers.disorder * uniform("disorder", entry.id), reverse=True
        )

    def _tokens(self, request: LookupRequest, page: Page, use: int, answers: Answers) -> Page:
        """Give the page the next token, and remember the number of the page that the token begins."""
        if answers.tokens == "same_page":
            page = replace(self._lookup.page(replace(request, token=None)), token=self._lookup.token(request))
        elif answers.tokens == "empty_pages":
            page = Page((), self._lookup.token(request))
        with self._lock:
            if page.token is None:
                return page
            first = self._first.setdefault(request.identity, page.token)
            if answers.tokens == "looping" and use >= 2:
                return replace(page, token=first)
            self._uses[page.token] = use + 1
        return page

    def _before(self, request: LookupRequest, use: int, answers: Answers) -> tuple[dict[str, Any], ...]:
        entries = self._sorted(request, replace(answers, order="newest", disorder=0))
        begin = (use - 1) * request.most
        return tuple(answer.event(entry) for entry in entries[begin : begin + answers.repeats])

    def _strays(self, request: LookupRequest, count: int) -> Iterator[dict[str, Any]]:
        """Yield events of the same account from just before and just after the requested range."""
        span = self._lookup.span(request)
        older = replace(span, start=span.start - _A_DAY, end=span.start - 1)
        newer = replace(span, start=span.end + 1, end=span.end + _A_DAY)
        yield from (answer.event(entry) for entry in self._some(older, count))
        yield from (answer.event(entry) for entry in self._some(newer, count))

    def _some(self, span: Span, count: int) -> list[Any]:
        entries = self._store.newest_first(span)
        return [entry for _, entry in zip(range(count), entries, strict=False)]


def _changed(event: dict[str, Any], answers: Answers) -> dict[str, Any]:
    kept = {name: value for name, value in event.items() if name not in answers.without}
    return {**kept, **dict(answers.instead)}
