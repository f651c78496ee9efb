"""Typed answers of a search server. An answer of another shape counts as a transient fault of the server."""

from __future__ import annotations

from typing import Any, Generic, Literal, TypeVar

import msgspec

from cloudtrail_elasticsearch.core.encoding import typed
from cloudtrail_elasticsearch.core.errors import UnexpectedAnswerError
from cloudtrail_elasticsearch.core.log_text import safe_text
from cloudtrail_elasticsearch.core.search.server import SearchServer

Value = TypeVar("Value")


class Shards(msgspec.Struct, frozen=True):
    """The number of shards that a request went to, and how many of them answered or failed."""

    total: int = 0
    successful: int = 0
    failed: int = 0


class Refreshed(msgspec.Struct, frozen=True):
    """The answer to ``_refresh``; unassigned replicas are not a failure."""

    shards: Shards = msgspec.field(name="_shards", default=Shards())

    def __post_init__(self) -> None:
        if self.shards.failed:
            raise ValueError(f"{self.shards.failed} of {self.shards.total} shards failed")


class Complete(msgspec.Struct, frozen=True, kw_only=True):
    """An answer that is valid only if every shard contributed to it.

    OpenSearch does not count unassigned shards as ``failed``; they are missing from ``successful``.
    """

    shards: Shards = msgspec.field(name="_shards", default=Shards())
    timed_out: bool = False

    def __post_init__(self) -> None:
        # A search that timed out returns what it has found, which looks like a whole answer.
        if self.timed_out:
            raise ValueError("the search timed out")
        # Both counts, because the servers differ in what they count as failed.
        if self.shards.failed or self.shards.successful < self.shards.total:
            raise ValueError(f"{self.shards.successful} of {self.shards.total} shards answered")


class Count(Complete, frozen=True):
    """The answer to ``_count``."""

    count: int

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.count < 0:
            raise ValueError("the count is negative")


class Hit(msgspec.Struct, Generic[Value], frozen=True):
    """A search hit with its document's source, converted to a type."""

    source: Value = msgspec.field(name="_source")
    sort: list[Any] = []


class HitId(msgspec.Struct, frozen=True):
    """A search hit with its document's id only."""

    id: str = msgspec.field(name="_id")


class Hits(msgspec.Struct, Generic[Value], frozen=True):
    """The hits of a search."""

    hits: list[Value]


class Found(Complete, Generic[Value], frozen=True):
    """The answer to ``_search``, with hits of one type."""

    hits: Hits[Value]


class Bucket(msgspec.Struct, frozen=True, gc=False):
    """One bucket of an aggregation; the key of a composite aggregation has a value for each source."""

    key: str | dict[str, Any]
    doc_count: int
    newest: Aggregation | None = None
    usual: Aggregation | None = None
    """The sub-aggregations ``newest`` and ``usual``, if the request has them."""
    looked_up: Aggregation | None = None
    indexed: Aggregation | None = None
    quarantined: Aggregation | None = None
    """The sub-aggregations with the sums of a cell's figures, if the request has them."""
    watermark: Aggregation | None = None
    checked_at: Aggregation | None = None
    live_events: Aggregation | None = None
    """The sub-aggregations with the figures of watermarks, if the request has them."""
    updated: Aggregation | None = None
    """The sub-aggregation with the sum of the times of update, if the request has it."""

    @property
    def values(self) -> dict[str, Any]:
        """The value of each source of a composite aggregation."""
        return self.key if isinstance(self.key, dict) else {}

    @property
    def sums(self) -> list[Aggregation]:
        """The sums of a cell's figures."""
        return [each for each in (self.looked_up, self.indexed, self.quarantined) if each is not None]


class Aggregation(msgspec.Struct, frozen=True, gc=False):
    """Buckets, the figures of a ``stats`` aggregation, or the value of a ``max`` or ``avg`` aggregation."""

    buckets: list[Bucket] = []
    after_key: dict[str, Any] | None = None
    count: int | None = None
    max: float | None = None
    sum: float | None = None
    value: float | None = None
    days: Aggregation | None = None
    """The sub-aggregation ``days`` of a ``filter`` aggregation."""


class Aggregated(Complete, frozen=True):
    """The answer to ``_search`` with aggregations; it has none if the index does not exist."""

    aggregations: dict[str, Aggregation] = {}


class Updated(msgspec.Struct, frozen=True):
    """The answer to ``_update``."""

    result: Literal["created", "updated", "noop"]


def send_request(
    server: SearchServer, expected: type[Value], method: str, path: str, body: bytes | None = None
) -> Value:
    """Send a request once and return the answer, converted to the expected type.

    :raises UnexpectedAnswerError: the answer is of another shape, or some shards did not answer
    """
    answer = server.request(method, path, body)
    try:
        return typed.convert(answer, expected)
    except msgspec.ValidationError as error:
        why = safe_text(error)
    # Outside the handler: Airflow logs the whole chain of errors, and msgspec's text is not escaped.
    raise UnexpectedAnswerError(
        f"The search server {server.name} gave no complete answer to {safe_text(f'{method} {path}', 300)}: {why}. "
        f"The request is retried; nothing is lost."
    )
