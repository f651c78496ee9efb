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

GROUPS: Final = 4_096
"""The entries of each cache."""

Value = TypeVar("Value")
CallValue = TypeVar("CallValue")


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
        cached = lru_cache(GROUPS)
        self._describe_address = cached(lambda address, _version: finish(self._locate(address)))
        self.describe_caller = cached(lambda *caller: finish(ecs.describe_caller(*caller)))
        """Returns the value of a caller, from the parameters of `ecs.describe_caller`."""
        self.describe_call = cached(lambda *call: finish_call(self._enrich_call(*call)))
        """Returns the value of a call, from the parameters of `ecs.describe_call`."""
        self.describe_user_agent = cached(lambda text: finish(self._parse_user_agent(text)))
        """Returns the value of a user agent, from its text, or from None if the event has no such text."""

    def describe_address(self, address: str | None) -> Value:
        """Return the value of the caller's address, and of the fields that all documents have.

        :raises EnrichmentError: a database is broken
        """
        enrichment = self._enrichment
        return self._describe_address(address, enrichment.version() if enrichment else 0)

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
