"""Bulk requests: their items, and their encoding."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, Protocol, TypeVar

import msgspec

from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.search.rejection_reasons import blames_document
from cloudtrail_elasticsearch.core.search.sending_time import TIME_SIZE, TimePlace

ERROR_FIELDS: Final = "error,status"
"""The members of an answer that explain a rejected request; without them, ``filter_path`` leaves nothing."""

MISSING_IS_EMPTY: Final = "ignore_unavailable=true&allow_no_indices=true"
"""Options for requests to an index that may not exist: the server returns no documents instead of an error."""

BULK_PATH: Final = f"/_bulk?filter_path={ERROR_FIELDS},items.*.status,items.*.result,items.*.error"
"""The path of bulk requests: the server returns only those values of each item that the loader reads.

https://www.elastic.co/docs/reference/elasticsearch/rest-apis/common-options#common-options-response-filtering
"""

TOO_LARGE: Final = "document_too_large"
"""The loader's own kind of rejection: the document is too large for the server, even alone in a request."""


class BulkItem(msgspec.Struct, frozen=True, gc=False):
    """An item of a bulk request, with its event's line. If `document` is None, the item is a deletion."""

    id: str
    index: str
    document: bytes | None
    original: bytes = b""
    keeps_members: bool = False
    """Whether an existing document keeps the members that `document` does not have."""
    time_place: TimePlace | None = None
    """Where the time of sending goes in `document`. With a place, an existing document is not replaced."""
    replaces: bool = False
    """Whether an existing document is replaced in spite of a place for the time."""

    @property
    def action(self) -> str:
        """The action of the bulk API: ``create``, ``index``, ``update`` or ``delete``."""
        if self.document is None:
            return "delete"
        if self.keeps_members:
            return "update"
        # `create`, because an event that is loaded again keeps its document, and with it the time (ADR-0023).
        return "create" if self.time_place is not None and not self.replaces else "index"

    @property
    def size(self) -> int:
        """The approximate number of bytes in the request's body."""
        # 40 bytes for the names and brackets of the action line.
        added = 40 if self.time_place is None else 40 + TIME_SIZE
        return len(self.document or b"") + len(self.index) + len(self.id) + added


@dataclass(frozen=True, slots=True)
class Rejection:
    """An item that the server rejected, with the kind and the reason of the error."""

    item: BulkItem
    kind: str
    reason: str

    @property
    def blames_document(self) -> bool:
        """Whether the error names the document's content as the cause: a changed document may be accepted."""
        return blames_document(self.kind, self.reason)

    @property
    def size(self) -> int:
        """The approximate number of bytes in a request to the quarantine."""
        return len(self.item.original)

    @property
    def original(self) -> bytes:
        """The event's line."""
        return self.item.original


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A line that is not sent. It keeps its place in the batch, so that lines can be numbered."""

    rule: str
    """The name of the rule that leaves its event out."""
    size: int = 0
    original: None = None


BatchEntry = BulkItem | Rejection | LeftOut
"""A line of a batch: a document to send, an event that the loader itself rejects, or a line that is left out."""


class HasSize(Protocol):
    """An item with a size."""

    @property
    def size(self) -> int:
        """The number of bytes that it adds to a request."""


Item = TypeVar("Item", bound=HasSize)


def group_into_batches(items: Iterable[Item], max_bytes: int, max_items: int) -> Iterator[list[Item]]:
    """Yield batches of at most `max_bytes` bytes and `max_items` items; a larger item gets a batch of its own."""
    batch: list[Item] = []
    size = 0
    for item in items:
        added = item.size
        # A larger item is sent alone: only the server knows its own limit.
        if batch and (size + added > max_bytes or len(batch) >= max_items):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += added
    if batch:
        yield batch


def encode_bulk_body(batch: Iterable[BulkItem]) -> bytes:
    """Return the newline-delimited body of a ``_bulk`` request that is sent now."""
    now = datetime.now(UTC)
    ends = {place: place.make_end(now) for place in TimePlace}
    lines: list[bytes] = []
    for item in batch:
        document = item.document
        action_line = _begin_action_line(item.action, item.index)
        lines.append(b"%b%b}}" % (action_line, codec.encode(item.id)))
        place = item.time_place
        if document is None:
            continue
        if place is not None:
            document = document[:-place] + ends[place]
        lines.append(b'{"doc":%b,"doc_as_upsert":true}' % document if item.keeps_members else document)
    # The server requires a line end after the last line.
    lines.append(b"")
    return b"\n".join(lines)


@lru_cache(maxsize=64)
def _begin_action_line(action: str, index: str) -> bytes:
    """Return the action line of a document up to its id; it is equal for all documents of an index."""
    return codec.encode({action: {"_index": index, "_id": None}}).removesuffix(b"null}}")
