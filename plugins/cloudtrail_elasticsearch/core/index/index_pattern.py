"""The names of indices: the pattern that names the events' indices, and the names of the loader's own indices."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final

from cloudtrail_elasticsearch.core.errors import MappingError

QUARANTINE_INDEX: Final = "cloudtrail-quarantine"

RULES_INDEX: Final = "cloudtrail-rules"

COVERAGE_INDEX: Final = "cloudtrail-coverage"

OWN_INDICES: Final = (QUARANTINE_INDEX, RULES_INDEX, COVERAGE_INDEX)

TEMPLATES: Final = "cloudtrail-elasticsearch-"
"""The prefix of all index templates' names."""

DEFAULT_INDEX: Final = "cloudtrail-%Y.%m"

UNDATED: Final = "undated"

EVENTS: Final = "events"
"""The end of the alias of a dated pattern's indices."""

MANAGED_BY: Final = "cloudtrail-elasticsearch"
"""The value of ``managed_by`` in the ``_meta`` of every index and template that the loader created."""

LONGEST_NAME: Final = 255
"""The longest index name, in bytes.

https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-indices-create
"""

_DIRECTIVES: Final = {
    "%Y": r"[0-9]{4}",
    "%m": r"(?:0[1-9]|1[0-2])",
    "%d": r"(?:0[1-9]|[12][0-9]|3[01])",
}

_ALLOWED = re.compile(r"[a-z0-9][a-z0-9._-]*")

_DIRECTIVE = re.compile(r"%[A-Za-z]")


@dataclass(frozen=True, slots=True)
class IndexPattern:
    """The pattern of the events' index names: a fixed name, or one with the time's ``%Y``, ``%m`` and ``%d``.

    :raises MappingError: the server would reject a name, or it is the name of one of the loader's own indices
    """

    text: str

    def __post_init__(self) -> None:
        fixed = _DIRECTIVE.sub("", self.text)
        if set(_DIRECTIVE.findall(self.text)) - _DIRECTIVES.keys() or "%" in fixed:
            raise MappingError(f"The index pattern {self.text!r} can contain %Y, %m and %d, and no other %.")
        if not _ALLOWED.fullmatch(fixed) or ".." in self.text:
            raise MappingError(
                f"The index pattern {self.text!r} is not a valid index name. A name has lower-case letters, "
                f"digits, '-', '_' and single '.', and begins with a letter or digit. Change the index."
            )
        # Names are ASCII, so characters are bytes, and all dated names have the same length.
        longest = max(len(self.name(datetime.now(UTC))), len(self.undated))
        if longest > LONGEST_NAME:
            raise MappingError(
                f"The index pattern {self.text!r} gives names of {longest} bytes, but a search server accepts at "
                f"most {LONGEST_NAME}. Choose a shorter index."
            )
        # Otherwise events would be written into the ledger or the quarantine.
        own = next(filter(self.produces, OWN_INDICES), None)
        if own is not None:
            raise MappingError(
                f"The index pattern {self.text!r} matches {own}, which holds the loader's own data. "
                f"Choose another index."
            )

    def name(self, time: datetime | None) -> str:
        """Return the index of an event with this time, in UTC; events without a time have their own index."""
        if not self.is_dated:
            return self.text
        if time is None:
            return self.undated
        return (
            # Not `strftime`, which does not pad years before 1000 on Linux.
            self.text.replace("%Y", f"{time.year:04d}")
            .replace("%m", f"{time.month:02d}")
            .replace("%d", f"{time.day:02d}")
        )

    def produces(self, name: str) -> bool:
        """Return whether the pattern can give this name (ADR-0016)."""
        return name == self.undated or _name_expression(self.text).fullmatch(name) is not None

    @property
    def is_dated(self) -> bool:
        """Whether the name depends on the event's time."""
        return "%" in self.text

    @property
    def undated(self) -> str:
        """The index of the events without a time."""
        return f"{self._stem}-{UNDATED}" if self.is_dated else self.text

    @property
    def matches(self) -> tuple[str, ...]:
        """Wildcards that match all of the pattern's indices, and others with similar names: for listings.

        A presence check never uses them; `produces` filters a listing (ADR-0016).
        """
        if not self.is_dated:
            return (self.text,)
        return (_DIRECTIVE.sub("*", self.text), self.undated)

    @property
    def alias(self) -> str | None:
        """The alias of all of the pattern's indices, for searches; None for a fixed name, which needs none.

        Patterns that differ only in their dates share it. No pattern with dates can name an index so.
        """
        return f"{self._stem}-{EVENTS}" if self.is_dated else None

    @property
    def template(self) -> str:
        """The name of its index template."""
        # Without %, which would have to be quoted in a request's path.
        return TEMPLATES + _DIRECTIVE.sub(lambda found: found[0][1].lower(), self.text)

    @property
    def _stem(self) -> str:
        return re.sub(r"[-_.]*(%[Ymd][-_.]*)+", "-", self.text).strip("-")


def make_index_lookup(pattern: IndexPattern) -> Callable[[str | None], str]:
    """Return a function that returns the index of a day's events.

    Its argument is the day (``2026-11-20``), or None for events without a time. It is called for every event, so
    it caches the names.
    """
    # Enough for the days of more than a year.
    return lru_cache(maxsize=400)(lambda day: pattern.name(None if day is None else datetime.fromisoformat(day)))


@lru_cache(maxsize=64)
def _name_expression(text: str) -> re.Pattern[str]:
    """Return the regular expression of a dated pattern's names, which is stricter than the servers' ``*``."""
    parts = re.split(r"(%[Ymd])", text)
    return re.compile("".join(_DIRECTIVES.get(part) or re.escape(part) for part in parts))
