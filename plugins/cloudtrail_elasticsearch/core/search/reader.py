"""Reads one index: counts, searches and aggregations. An answer without all shards is an error."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Protocol, TypeVar

from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.search.answers import (
    Aggregated,
    Aggregation,
    Bucket,
    Count,
    Found,
    Hit,
    HitId,
    Refreshed,
    Shards,
)
from cloudtrail_elasticsearch.core.search.bulk import ERROR_FIELDS, MISSING_IS_EMPTY

Value = TypeVar("Value")

_COMPLETE: Final = "_shards,timed_out"
_WHOLE: Final = "allow_partial_search_results=false"
"""The search fails if a shard does not answer: a part of an index must not look like the whole index."""


class SendRequest(Protocol):
    """Sends a request, once or with retries, and returns the answer, converted to the expected type."""

    def __call__(self, expected: type[Value], method: str, path: str, body: bytes | None = None, /) -> Value:
        """Return the answer.

        :raises TransientError: the server gave no answer of this type
        """


class IndexReader:
    """Reads one index. If the index does not exist, the results are empty."""

    def __init__(self, send: SendRequest, index: str) -> None:
        self._send = send
        self._index = index

    def refresh(self) -> Shards:
        """Refresh the index, so that searches see all documents, and return the shards of the answer."""
        return self._send(Refreshed, "POST", f"/{self._index}/_refresh?{MISSING_IS_EMPTY}").shards

    def count(self, query: dict[str, Any]) -> int:
        """Return the number of documents that match a query."""
        path = f"/{self._index}/_count?{MISSING_IS_EMPTY}"
        return self._send(Count, "POST", path, codec.encode({"query": query})).count

    def find(self, request: dict[str, Any], source: type[Value]) -> list[Hit[Value]]:
        """Search, and return the hits with their sort values and their sources, converted to a type."""
        path = self._search_path("hits.hits")
        return self._send(Found[Hit[source]], "POST", path, codec.encode(request)).hits.hits  # type: ignore[valid-type]

    def find_ids(self, ids: set[str]) -> set[str]:
        """Return the ids that exist in the index."""
        # An index holds an id at most once, so there are no more hits than ids.
        request = {"size": len(ids), "_source": False, "query": {"ids": {"values": sorted(ids)}}}
        found = self._send(Found[HitId], "POST", self._search_path("hits.hits"), codec.encode(request))
        return {hit.id for hit in found.hits.hits}

    def aggregate(self, request: dict[str, Any]) -> dict[str, Aggregation]:
        """Return aggregations by name; the result is empty if the index does not exist."""
        path = self._search_path("aggregations")
        return self._send(Aggregated, "POST", path, codec.encode({"size": 0, **request})).aggregations

    def group(
        self,
        query: dict[str, Any],
        fields: Sequence[str],
        page: int,
        optional: Sequence[str] = (),
        figures: Mapping[str, Any] | None = None,
    ) -> Iterator[Bucket]:
        """Yield a bucket for each group of documents with equal values of these fields.

        A composite aggregation reads only the index's columns. Reading the documents takes several times as long.

        :param page: the most buckets of an answer, below the servers' limit (``search.max_buckets``, 65,535)
        :param optional: further fields; a document without one has None there
        :param figures: sub-aggregations of each bucket
        """
        sources = [
            *({name: {"terms": {"field": name}}} for name in fields),
            *({name: {"terms": {"field": name, "missing_bucket": True}}} for name in optional),
        ]
        composite: dict[str, Any] = {"size": page, "sources": sources}
        groups = {"composite": composite, **({"aggs": dict(figures)} if figures else {})}
        request = {"track_total_hits": False, "query": query, "aggs": {"groups": groups}}
        while True:
            found = self.aggregate(request).get("groups", Aggregation())
            yield from found.buckets
            if len(found.buckets) < page:
                return
            composite["after"] = found.after_key

    def _search_path(self, wanted: str) -> str:
        parts = f"{ERROR_FIELDS},{_COMPLETE},{wanted}"
        return f"/{self._index}/_search?{MISSING_IS_EMPTY}&{_WHOLE}&filter_path={parts}"
