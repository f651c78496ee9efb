"""Strays: events outside the window that AWS returns although they were not requested; they are only counted."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from cloudtrail_elasticsearch.core.documents.events import LookedUpEvent

MOST_REMEMBERED: Final = 500
"""The most strays whose ids are remembered; further strays are counted each time AWS returns them."""

# The state store takes 64 KiB, so it holds short hashes instead of ids.
_BYTES: Final = 6


@dataclass(slots=True)
class Strays:
    """Counts strays; the counts are saved with the progress of the fetch."""

    remembered: set[int] = field(default_factory=set)
    more: int = 0
    example: str = ""
    """The eventID of one of them."""

    @property
    def count(self) -> int:
        """The number of strays."""
        return len(self.remembered) + self.more

    def add(self, events: Iterable[LookedUpEvent]) -> None:
        """Count events, except those whose ids are remembered."""
        for event in events:
            # If two hashes are equal, one stray is not counted. No staged event depends on this count.
            number = int.from_bytes(hashlib.sha256(event.id.encode()).digest()[:_BYTES])
            if number in self.remembered:
                continue
            self.example = self.example or event.id
            if len(self.remembered) < MOST_REMEMBERED:
                self.remembered.add(number)
            else:
                self.more += 1
