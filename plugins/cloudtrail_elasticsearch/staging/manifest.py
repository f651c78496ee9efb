"""What is written down about a staged window."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from cloudtrail_elasticsearch.core.windows import Window


@dataclass(frozen=True, slots=True)
class Part:
    """One staged object: compressed newline-delimited JSON, newest events first."""

    key: str
    events: int
    bytes: int
    sha256: str
    first: datetime
    """When its oldest event happened."""
    last: datetime
    """When its newest one did."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """A window's parts with their checksums, and what it took to look them up."""

    account: str
    region: str
    start: datetime
    end: datetime
    fetch: str
    """The id of the fetch that staged it; a fetch again, with force or for late events, has another."""
    parts: tuple[Part, ...]
    looked_up: int
    duplicates: int
    late: int
    """Events that came after the window was first staged."""
    calls: int
    throttled: int
    attempts: int
    staged_at: datetime
    version: int = 2

    @property
    def staged(self) -> int:
        """Events staged: looked up, less those that came twice."""
        return sum(part.events for part in self.parts)

    @property
    def window(self) -> Window:
        """The window it belongs to."""
        return Window(self.account, self.region, self.start, self.end)

    @property
    def fetches(self) -> tuple[str, ...]:
        """The ids of the fetches whose parts it names, its own first."""
        named = {part.key.partition("/fetch=")[2].partition("/")[0]: None for part in self.parts}
        return tuple({self.fetch: None, **named})

    @property
    def first(self) -> datetime | None:
        """When the oldest event happened."""
        return min((part.first for part in self.parts), default=None)

    @property
    def last(self) -> datetime | None:
        """When the newest event happened."""
        return max((part.last for part in self.parts), default=None)


@dataclass(frozen=True, slots=True)
class LoadRecord:
    """That a window's staged events were loaded, and where to; written when the server has them all."""

    fingerprint: str
    loaded_at: datetime
