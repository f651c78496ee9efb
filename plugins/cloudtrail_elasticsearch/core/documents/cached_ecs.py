"""The ECS fields of an event, with those of enrichment, in groups with a cache each. ADR-0011, ADR-0030

The fields of a group depend on a few values. Addresses and sessions differ from event to event, but operations
recur, so a cache of all fields together would rarely have a hit.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar

from cloudtrail_elasticsearch.core.documents import ecs
from cloudtrail_elasticsearch.core.documents.schema import Schema
from cloudtrail_elasticsearch.core.enrichment.enrichment import Enrichment

GROUPS: Final = 4_096
"""The entries of each cache, except that of addresses."""

ADDRESSES: Final = 8_192
"""The addresses whose fields are cached."""

Value = TypeVar("Value")


class CachedEcs(Generic[Value]):
    """Describes events by ECS fields. Threads may share it.

    :param finish: converts a group of fields into the value to cache
    """

    def __init__(self, schema: Schema, finish: Callable[[Mapping[str, Any]], Value]) -> None:
        self._finish = finish
        self.enrichment = schema.enrichment or Enrichment()
        self.fixed = ecs.FIXED if schema.ecs else {}
        """The fields that all documents have."""
        self._locate = lru_cache(ADDRESSES)(self._describe_address)
        cached = lru_cache(GROUPS)
        self.describe_caller = cached(lambda *caller: finish(ecs.describe_caller(*caller)))
        """Returns the value of a caller, from the parameters of `ecs.describe_caller`."""
        self.describe_call = cached(self._describe_call)
        """Returns the values of a call and of ``event``, from the parameters of `ecs.describe_call`."""
        self.describe_user_agent = cached(lambda text: finish(self.enrichment.describe_user_agent(text)))
        """Returns the value of a user agent, from its text, or from None if the event has no such text."""

    def describe_address(self, address: str | None) -> Value:
        """Return the value of the caller's address, and of the fields that all documents have.

        :raises EnrichmentError: a database is broken
        """
        return self._locate(address, self.enrichment.version())

    def _describe_address(self, address: str | None, _version: int) -> Value:
        described = ecs.describe_address(address)
        self.enrichment.enrich_address(described)
        return self._finish({**self.fixed, **described})

    def _describe_call(self, *call: Any) -> tuple[Value, Value]:
        described, event = ecs.describe_call(*call)
        self.enrichment.enrich_call(described)
        return self._finish(described), self._finish(event)
