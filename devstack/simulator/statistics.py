"""Counts of the requests that a simulator gets."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass
class RegionStatistics:
    """The requests of one region.

    `pages` and `events` count all pages and events. `repeated_pages` and `repeated_events` count those that a
    client got again. A page is identified by its request and its first position, whatever its token is. `ranges`
    is the number of different ranges of time in the requests.
    """

    calls: int = 0
    throttled: int = 0
    failed: int = 0
    pages: int = 0
    events: int = 0
    repeated_pages: int = 0
    repeated_events: int = 0
    ranges: int = 0
    user_agents: Counter[str] = field(default_factory=Counter)
    _ranges: set[int] = field(default_factory=set)
    _pages: set[int] = field(default_factory=set)
    _events: set[int] = field(default_factory=set)

    def called(self, user_agent: str) -> None:
        """Count a request, whatever its outcome is."""
        self.calls += 1
        self.user_agents[user_agent] += 1

    def made(self, events: int) -> None:
        """Count a page, whether or not it reaches the client."""
        self.pages += 1
        self.events += events

    def served(self, page: tuple[Hashable, Hashable], events: Iterable[str]) -> None:
        """Count the page and its events as repeated if a client got them before."""
        self.ranges += not _again(hash(page[0]), self._ranges)
        self.repeated_pages += _again(hash(page), self._pages)
        self.repeated_events += sum(_again(hash(event), self._events) for event in events)

    def as_json(self) -> dict[str, Any]:
        """Return the counts."""
        return {
            "calls": self.calls,
            "throttled": self.throttled,
            "failed": self.failed,
            "pages": self.pages,
            "events": self.events,
            "repeated_pages": self.repeated_pages,
            "repeated_events": self.repeated_events,
            "ranges": self.ranges,
            "user_agents": dict(self.user_agents),
        }


@dataclass
class AccountStatistics:
    """The requests of LookupEvents of one account, and the sessions that were opened in it.

    `expired` counts the requests of every service with a session that had expired.
    """

    calls: int = 0
    throttled: int = 0
    failed: int = 0
    events: int = 0
    sessions: int = 0
    expired: int = 0


class Statistics:
    """The counts of LookupEvents in every region and account with a request, and of each operation's requests."""

    def __init__(self) -> None:
        self.operations: Counter[str] = Counter()
        self.session_names: Counter[str] = Counter()
        """The sessions that AssumeRole opened, by their names."""
        self.regions: defaultdict[str, RegionStatistics] = defaultdict(RegionStatistics)
        self.accounts: defaultdict[str, AccountStatistics] = defaultdict(AccountStatistics)

    def as_json(self) -> dict[str, dict[str, Any]]:
        """Return the counts by region."""
        return {region: self.regions[region].as_json() for region in sorted(self.regions)}

    def accounts_as_json(self) -> dict[str, dict[str, int]]:
        """Return the counts by account."""
        return {account: asdict(self.accounts[account]) for account in sorted(self.accounts)}


def _again(item: int, seen: set[int]) -> bool:
    """Return whether an item was seen before, and note that it was."""
    before = len(seen)
    seen.add(item)
    return len(seen) == before
