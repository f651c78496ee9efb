"""What a simulator counts of the requests it gets."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import Any


@dataclass
class RegionStatistics:
    """The requests of one region. A page is repeated when a token comes that was asked for before."""

    calls: int = 0
    throttled: int = 0
    failed: int = 0
    pages: int = 0
    events: int = 0
    repeated_pages: int = 0
    user_agents: Counter[str] = field(default_factory=Counter)
    _tokens: set[int] = field(default_factory=set)

    def called(self, user_agent: str) -> None:
        """Count a request, whatever becomes of it."""
        self.calls += 1
        self.user_agents[user_agent] += 1

    def served(self, token: str | None, events: int) -> None:
        """Count a page that was asked for by a token, or is a first page."""
        self.pages += 1
        self.events += events
        if token is not None:
            self.repeated_pages += hash(token) in self._tokens
            self._tokens.add(hash(token))

    def as_json(self) -> dict[str, Any]:
        """Return the counts."""
        return {
            "calls": self.calls,
            "throttled": self.throttled,
            "failed": self.failed,
            "pages": self.pages,
            "events": self.events,
            "repeated_pages": self.repeated_pages,
            "user_agents": dict(self.user_agents),
        }


class Statistics:
    """The counts of every region that was asked for anything."""

    def __init__(self) -> None:
        self.regions: defaultdict[str, RegionStatistics] = defaultdict(RegionStatistics)

    def as_json(self) -> dict[str, dict[str, Any]]:
        """Return the counts by region."""
        return {region: self.regions[region].as_json() for region in sorted(self.regions)}
