"""Bulk requests: how documents are put into them, and what the server's answer says of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Protocol, TypeVar

import msgspec

from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.errors import AccessDeniedError, MappingError

PATH: Final = "/_bulk?filter_path=items.*.status,items.*.result,items.*.error"
"""Where bulk requests go: of each item the server tells no more than is read.

https://www.elastic.co/docs/reference/elasticsearch/rest-apis/common-options#common-options-response-filtering
"""

TRANSIENT: Final = frozenset({429, 502, 503, 504})
"""The statuses, of a request or of one item, that pass by themselves."""

_NOT_THE_DOCUMENTS_FAULT: Final = frozenset(
    {
        "index_closed_exception",
        "index_not_found_exception",
        "invalid_index_name_exception",
        "validation_exception",
    }
)


class BulkItem(msgspec.Struct, frozen=True):
    """A document ready to be sent, with the line it was made of; without a document it is to be deleted."""

    id: str
    index: str
    document: bytes | None
    original: bytes = b""
    is_quick: bool = False
    """Whether the event was not looked at, as it was known to fit."""

    @property
    def size(self) -> int:
        """Bytes in the request's body, nearly."""
        return len(self.document or b"") + len(self.index) + len(self.id) + 40


@dataclass(frozen=True, slots=True)
class Refused:
    """An item that the server will not take, with its kind of error and its words."""

    item: BulkItem
    kind: str
    reason: str

    @property
    def size(self) -> int:
        """Bytes in the quarantine's request, nearly."""
        return len(self.item.original)


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A line that is not to be sent, in its place among those that are."""

    size: int = 0


@dataclass(slots=True)
class Answer:
    """What the server said of every item of one request."""

    created: int = 0
    updated: int = 0
    again: list[BulkItem] = field(default_factory=list)
    why_again: str = ""
    refused: list[Refused] = field(default_factory=list)

    def add(self, other: Answer) -> None:
        """Add what the server said of other items."""
        self.created += other.created
        self.updated += other.updated
        self.again += other.again
        self.why_again = other.why_again or self.why_again
        self.refused += other.refused


class Sized(Protocol):
    """Anything that knows how many bytes it adds to a request."""

    @property
    def size(self) -> int:
        """Bytes."""


Item = TypeVar("Item", bound=Sized)


def batches(items: Iterable[Item], max_bytes: int, max_items: int) -> Iterator[list[Item]]:
    """Group items into requests of at most so many bytes and items; one larger item goes alone."""
    batch: list[Item] = []
    size = 0
    for item in items:
        added = item.size
        if batch and (size + added > max_bytes or len(batch) >= max_items):
            yield batch
            batch, size = [], 0
        batch.append(item)
        size += added
    if batch:
        yield batch


def body(batch: Iterable[BulkItem]) -> bytes:
    """Return the newline-delimited body of a ``_bulk`` request."""
    lines: list[bytes] = []
    for item in batch:
        document = item.document
        begun = _begun("delete" if document is None else "index", item.index)
        lines.append(b"%b%b}}" % (begun, codec.encode(item.id)))
        if document is not None:
            lines.append(document)
    lines.append(b"")
    return b"\n".join(lines)


@lru_cache(maxsize=64)
def _begun(action: str, index: str) -> bytes:
    """Return the line of an action on a document of an index up to the document's id."""
    return codec.encode({action: {"_index": index, "_id": None}}).removesuffix(b"null}}")


def read_answer(batch: list[BulkItem], answer: dict[str, Any]) -> Answer:
    """Sort a request's items by what the server said of each.

    :raises AccessDeniedError: the user may not write to an index
    :raises MappingError: an index cannot be written to, whatever the document
    """
    result = Answer()
    said_of = [said for outcome in answer["items"] for said in outcome.values()]
    results = Counter(said.get("result") for said in said_of)
    result.created, result.updated = results["created"], results["updated"]
    for item, said in zip(batch, said_of, strict=True):
        if "error" not in said:
            continue
        error = said["error"]
        if is_transient(said["status"], error):
            result.again.append(item)
            result.why_again = reason(error)
        else:
            result.refused.append(_refused(item, said["status"], error))
    return result


def is_transient(status: int, error: Any) -> bool:
    """Whether trying again can help; a block (a disk watermark, a read-only index) is lifted some day."""
    return status in TRANSIENT or (isinstance(error, dict) and error.get("type") == "cluster_block_exception")


def reason(error: Any) -> str:
    """Return the server's words for an error, with those of its causes."""
    words: list[str] = []
    cause = error
    while isinstance(cause, dict):
        text = cause.get("reason") or cause.get("type")
        if text and text not in words:
            words.append(str(text))
        cause = cause.get("caused_by")
    return ": ".join(words) or str(error)


def _refused(item: BulkItem, status: int, error: dict[str, Any]) -> Refused:
    kind, words = str(error.get("type")), reason(error)
    if status in {401, 403}:
        raise AccessDeniedError(f"The search server does not let this user write to {item.index}: {words}.")
    if kind in _NOT_THE_DOCUMENTS_FAULT:
        raise MappingError(f"The search server cannot write to the index {item.index}: {words}.")
    return Refused(item, kind, words)
