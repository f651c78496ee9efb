"""The query parameters of a page's request, checked in the same way for FastAPI and Flask."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.errors import MappingError
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern

FIRST_DAY: Final = date(2000, 1, 1)
LAST_DAY: Final = date(2099, 12, 31)
"""No CloudTrail event is older or newer, and date arithmetic on any range stays within Python's calendar."""

MOST_CHARACTERS: Final = 512
"""A search server's longest document id, in bytes; names of indices, regions and accounts are shorter."""

MOST_VALUES: Final = 10_000
"""The most values of one parameter: more than an organization has accounts."""

_DAY: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_NUMBER: Final = re.compile(r"[0-9]{1,3}")
_REGION: Final = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")
_ACCOUNT: Final = re.compile(r"[0-9]{12}")
_SHOWN: Final = 40


class AskedError(ValueError):
    """A request that cannot be answered; `status` is the HTTP status of the answer."""

    def __init__(self, status: int, message: str = "") -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class Question:
    """The query parameters of a request, by name, each with all of its values.

    A parameter without a value counts as missing. Every method raises `AskedError`: with 422 if a parameter is
    missing or malformed, with 400 if its value is not allowed.
    """

    values: Mapping[str, tuple[str, ...]]

    @classmethod
    def from_pairs(cls, pairs: Iterable[tuple[str, str]]) -> Question:
        """Collect the pairs of a query string, in their order."""
        values: dict[str, list[str]] = {}
        for name, value in pairs:
            # An empty value counts as missing: a form sends all of its fields.
            if value:
                values.setdefault(name, []).append(value)
        return cls({name: tuple(found) for name, found in values.items()})

    def optional_text(self, name: str) -> str | None:
        """Return a parameter's only value; None if it is missing."""
        found = self.values.get(name, ())
        if len(found) > 1:
            raise AskedError(400, f"{name} is given {len(found)} times: give it once only.")
        return _check_printable(name, found[0]) if found else None

    def text(self, name: str) -> str:
        """Return a parameter's only value."""
        found = self.optional_text(name)
        if found is None:
            raise AskedError(422, f"The parameter {name} is missing.")
        return found

    def texts(self, name: str) -> tuple[str, ...]:
        """Return all values of a parameter that may be repeated, at least one."""
        found = self.values.get(name, ())
        if not found:
            raise AskedError(422, f"The parameter {name} is missing.")
        if len(found) > MOST_VALUES:
            raise AskedError(400, f"{name} is given {len(found)} times: give it at most {MOST_VALUES} times.")
        return tuple(_check_printable(name, value) for value in found)

    def optional_day(self, name: str) -> date | None:
        """Return a day; None if it is missing."""
        given = self.optional_text(name)
        return None if given is None else _parse_day(name, given)

    def day(self, name: str) -> date:
        """Return a day."""
        return _parse_day(name, self.text(name))

    def optional_number(self, name: str) -> int | None:
        """Return a number of at most three digits; None if it is missing."""
        given = self.optional_text(name)
        if given is not None and not _NUMBER.fullmatch(given):
            raise AskedError(422, f"{name} is {_quote_short(given)}, which is not a number like 90.")
        return None if given is None else int(given)

    def regions(self, name: str) -> tuple[str, ...]:
        """Return the names of regions, at least one; a value can be several names, separated by commas."""
        found = self._split_texts(name)
        for region in found:
            if not _REGION.fullmatch(region):
                raise AskedError(400, f"{name} is {_quote_short(region)}, which is not a region like eu-west-1.")
        return found

    def accounts(self, name: str) -> tuple[str, ...]:
        """Return the ids of accounts, at least one; a value can be several ids, separated by commas."""
        found = self._split_texts(name)
        for account in found:
            if not _ACCOUNT.fullmatch(account):
                raise AskedError(400, f"{name} is {_quote_short(account)}, which is not an account of 12 digits.")
        return found

    def _split_texts(self, name: str) -> tuple[str, ...]:
        # Commas keep the address short: some web servers accept 4,094 characters only.
        given = self.values.get(name, ())
        values = tuple(each for value in given for each in value.split(","))
        return Question({name: values}).texts(name)

    def optional_source(self, name: str) -> Source | None:
        """Return a source of events; None if it is missing."""
        given = self.optional_text(name)
        try:
            return None if given is None else Source(given)
        except ValueError as error:
            choices = " or ".join(Source)
            raise AskedError(400, f"{name} is {_quote_short(given or '')}: it must be {choices}.") from error

    def pattern(self, name: str) -> str:
        """Return an index pattern that a load accepts."""
        given = self.text(name)
        try:
            return IndexPattern(given).text
        except MappingError as error:
            raise AskedError(400, str(error)) from error


def _parse_day(name: str, given: str) -> date:
    try:
        # `fromisoformat` alone also takes 20261120 and days of weeks.
        found = date.fromisoformat(given) if _DAY.fullmatch(given) else None
    except ValueError:
        found = None
    if found is None:
        raise AskedError(422, f"{name} is {_quote_short(given)}, which is not a day like 2026-11-20.")
    if not FIRST_DAY <= found <= LAST_DAY:
        raise AskedError(400, f"{name} is {given}: choose a day from {FIRST_DAY} to {LAST_DAY}.")
    return found


def _check_printable(name: str, value: str) -> str:
    if len(value) > MOST_CHARACTERS:
        raise AskedError(400, f"{name} has {len(value)} characters: use {MOST_CHARACTERS} at most.")
    if not value.isprintable():
        raise AskedError(400, f"{name} is {_quote_short(value)}: write it without control characters.")
    return value


def _quote_short(value: str) -> str:
    return ascii(value if len(value) <= _SHOWN else f"{value[:_SHOWN]}…")
