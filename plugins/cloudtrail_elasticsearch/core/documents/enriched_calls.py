"""The ECS fields of calls with those of enrichment, cached by caller and user agent. ADR-0030"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, Generic, TypeVar

from cloudtrail_elasticsearch.core.documents.ecs import Caller
from cloudtrail_elasticsearch.core.enrichment.enrichment import Enrichment

CALLS: Final = 4_096
"""The size of the cache: a caller has few user agents."""

Value = TypeVar("Value")


class EnrichedCalls(Generic[Value]):
    """Returns the ECS fields of calls, or what a function makes of them.

    :param describe: returns the ECS fields of a caller
    :param finish: makes a value of the fields, which is cached
    """

    def __init__(
        self,
        enrichment: Enrichment,
        describe: Callable[[Caller], Mapping[str, Any]],
        finish: Callable[[Mapping[str, Any]], Value],
    ) -> None:
        self._enrichment = enrichment
        self._describe = describe
        self._finish = finish
        self._find = lru_cache(maxsize=CALLS)(self._make)

    def describe(self, caller: Caller, user_agent: Any) -> Value:
        """Return the value of a call.

        :param user_agent: the ``userAgent`` of the document; anything but a text counts as missing
        :raises EnrichmentError: a database is broken
        """
        text = user_agent if type(user_agent) is str else ""
        return self._find(caller, text, self._enrichment.version())

    def _make(self, caller: Caller, user_agent: str, _version: int) -> Value:
        return self._finish(self._enrichment.enrich(self._describe(caller), user_agent))
