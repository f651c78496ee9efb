"""The ECS fields of an event, with those of enrichment, in groups with a cache each. ADR-0011, ADR-0030

The fields of a group depend on a few values. Addresses and sessions differ from event to event, but operations
recur, so a cache of all fields together would rarely have a hit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, TypeVar

from cloudtrail_elasticsearch.core.documents import ecs
from cloudtrail_elasticsearch.core.documents.schema import Schema

GROUPS: Final = 4_096
"""The most entries of each cache."""

Value = TypeVar("Value")
CallValue = TypeVar("CallValue")


class _Cache(dict[tuple[Any, ...], Value]):
    """The values that a function returned, by its parameters; it is emptied if it is full.

    Most callers are new, and `functools.lru_cache` takes three times as long for a key that it does not have.

    :param make: makes the value of a key
    """

    def __init__(self, make: Callable[..., Value]) -> None:
        super().__init__()
        self._make = make

    def __missing__(self, key: tuple[Any, ...]) -> Value:
        value = self._make(*key)
        # Another thread may empty it at the same time, which does no harm.
        if len(self) >= GROUPS:
            self.clear()
        self[key] = value
        return value


class CachedEcs(Generic[Value, CallValue]):
    """Describes events by ECS fields. Threads may share it.

    :param finish: converts a group of fields into the value to cache
    :param finish_call: does the same with the fields of a call
    """

    def __init__(
        self,
        schema: Schema,
        finish: Callable[[Mapping[str, Any]], Value],
        finish_call: Callable[[Mapping[str, Any]], CallValue],
    ) -> None:
        self._enrichment = schema.enrichment
        self.fixed = ecs.FIXED if schema.ecs else {}
        """The fields that all documents have."""
        self._addresses = _Cache(lambda address, _version: finish(self._locate(address)))
        self._agents = _Cache(lambda text: finish(self._parse_user_agent(text)))
        self.callers: Mapping[ecs.CallerKey, Value] = _Cache(lambda *caller: finish(ecs.describe_caller(*caller)))
        """The value of each caller."""
        self.calls: Mapping[ecs.CallKey, CallValue] = _Cache(lambda *call: finish_call(self._enrich_call(*call)))
        """The value of each call."""

    def describe_address(self, address: str | None) -> Value:
        """Return the value of the caller's address, and of the fields that all documents have.

        :raises EnrichmentError: a database is broken
        """
        enrichment = self._enrichment
        return self._addresses[address, enrichment.version() if enrichment else 0]

    def describe_user_agent(self, text: str | None) -> Value:
        """Return the value of a user agent, from its text, or from None if the event has no such text."""
        return self._agents[(text,)]

    def _locate(self, address: str | None) -> Mapping[str, Any]:
        located = ecs.describe_address(address)
        if self._enrichment is not None:
            located = self._enrichment.enrich_address(located)
        return {**self.fixed, **located}

    def _enrich_call(self, *call: Any) -> Mapping[str, Any]:
        described = ecs.describe_call(*call)
        return described if self._enrichment is None else self._enrichment.enrich_call(described)

    def _parse_user_agent(self, text: str | None) -> Mapping[str, Any]:
        return {} if self._enrichment is None or not text else self._enrichment.describe_user_agent(text)
