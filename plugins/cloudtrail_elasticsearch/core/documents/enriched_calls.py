"""The ECS fields of calls with those of enrichment. ADR-0030"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar

from cloudtrail_elasticsearch.core.documents import ecs
from cloudtrail_elasticsearch.core.enrichment.enrichment import Enrichment

CALLERS: Final = 4_096
"""The size of the cache: a caller has few user agents."""

Value = TypeVar("Value")


class EnrichedCallers(Generic[Value]):
    """Applies a function to the ECS fields of callers, and caches the results by caller and user agent.

    :param finish: the function, which makes a value of the fields
    """

    def __init__(self, enrichment: Enrichment, finish: Callable[[Mapping[str, Any]], Value]) -> None:
        self._enrichment = enrichment
        self._finish = finish
        self._find = lru_cache(maxsize=CALLERS)(self._make)

    def describe(self, caller: ecs.Caller, user_agent: Any) -> Value:
        """Return the value of a caller.

        :param user_agent: the ``userAgent`` of the document; anything but a text counts as missing
        :raises EnrichmentError: a database is broken
        """
        text = user_agent if type(user_agent) is str else ""
        return self._find(caller, text, self._enrichment.version())

    def _make(self, caller: ecs.Caller, user_agent: str, _version: int) -> Value:
        return self._finish(self._enrichment.enrich_caller(ecs.describe_caller(caller), user_agent))


def describe_calls(enrichment: Enrichment | None) -> Callable[[ecs.Call], Mapping[str, Any]]:
    """Return the function that returns the ECS fields of a call, with those of enrichment if it is on."""
    if enrichment is None:
        return ecs.describe_call
    return lambda call: enrichment.enrich_call(ecs.describe_call(call))
