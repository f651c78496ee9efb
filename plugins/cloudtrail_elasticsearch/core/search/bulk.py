"""Bulk requests: their encoding, and the outcome of each document by the server's answer."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Protocol, TypeVar

import msgspec

from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.errors import AccessDeniedError, MappingError, UnexpectedAnswerError
from cloudtrail_elasticsearch.core.log_text import safe_text
from cloudtrail_elasticsearch.core.search.rejection_reasons import (
    blames_document,
    cut_quoted_content,
    find_index_remedy,
    never_fits,
)

ERROR_FIELDS: Final = "error,status"
"""The members of an answer that explain a rejected request; without them, ``filter_path`` leaves nothing."""

MISSING_IS_EMPTY: Final = "ignore_unavailable=true&allow_no_indices=true"
"""Options for requests to an index that may not exist: the server returns no documents instead of an error."""

BULK_PATH: Final = f"/_bulk?filter_path={ERROR_FIELDS},items.*.status,items.*.result,items.*.error"
"""The path of bulk requests: the server returns only those values of each item that the loader reads.

https://www.elastic.co/docs/reference/elasticsearch/rest-apis/common-options#common-options-response-filtering
"""

# 408: the server gave up waiting; 409: another worker changes the document; 429: the server is busy.
_TRANSIENT_STATUSES: Final = frozenset({408, 409, 429})
"""The statuses below 500, of a request or of one item, for which a retry can succeed."""

_TRANSIENT_KINDS: Final = frozenset({"cluster_block_exception", "resource_already_exists_exception"})
"""Errors for which a retry can succeed: a block (disk watermark, read-only index) that somebody lifts, or an index
that another worker created at the same time."""

TOO_LARGE: Final = "document_too_large"
"""The loader's own kind of rejection: the document is too large for the server, even alone in a request."""

_SUCCESSES: Final = {
    "index": frozenset({"created", "updated"}),
    # A missing document is as good as deleted: another attempt may have deleted it.
    "delete": frozenset({"deleted", "not_found"}),
}


class BulkItem(msgspec.Struct, frozen=True):
    """An item of a bulk request, with its event's line. If `document` is None, the item is a deletion."""

    id: str
    index: str
    document: bytes | None
    original: bytes = b""

    @property
    def size(self) -> int:
        """The approximate number of bytes in the request's body."""
        # 40 bytes for the names and brackets of the action line.
        return len(self.document or b"") + len(self.index) + len(self.id) + 40


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

    size: int = 0
    original: None = None


BatchEntry = BulkItem | Rejection | LeftOut
"""A line of a batch: a document to send, an event that the loader itself rejects, or a line that is left out."""


@dataclass(slots=True)
class Answer:
    """The outcomes of a request's items."""

    created: int = 0
    updated: int = 0
    replaced: list[BulkItem] = field(default_factory=list)
    """The updated items: their documents existed before."""
    to_resend: list[BulkItem] = field(default_factory=list)
    """Items for which a retry can succeed."""
    resend_reason: str = ""
    resend_status: int = 0
    """The status of the last item to resend; 0 if its answer has no status."""
    rejections: list[Rejection] = field(default_factory=list)
    too_large: list[Rejection] = field(default_factory=list)
    """Items of requests that are always too large for this server; smaller requests may be accepted."""

    def add(self, other: Answer) -> None:
        """Add the outcomes of other items."""
        self.created += other.created
        self.updated += other.updated
        self.replaced += other.replaced
        self.to_resend += other.to_resend
        self.resend_reason = other.resend_reason or self.resend_reason
        self.resend_status = other.resend_status or self.resend_status
        self.rejections += other.rejections
        self.too_large += other.too_large


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
    """Return the newline-delimited body of a ``_bulk`` request."""
    lines: list[bytes] = []
    for item in batch:
        document = item.document
        # `index`, not `create`: an event that is loaded again replaces its own document.
        action_line = _begin_action_line("delete" if document is None else "index", item.index)
        lines.append(b"%b%b}}" % (action_line, codec.encode(item.id)))
        if document is not None:
            lines.append(document)
    # The server requires a line end after the last line.
    lines.append(b"")
    return b"\n".join(lines)


@lru_cache(maxsize=64)
def _begin_action_line(action: str, index: str) -> bytes:
    """Return the action line of a document up to its id; it is equal for all documents of an index."""
    return codec.encode({action: {"_index": index, "_id": None}}).removesuffix(b"null}}")


def read_answer(batch: list[BulkItem], answer: Any, name: str = "") -> Answer:
    """Return the outcomes of a request's items.

    An item without a valid outcome is resent, like an item for which a retry can succeed.

    :param name: the server's address, for errors
    :raises UnexpectedAnswerError: the answer does not fit the request, so none of its items is counted
    :raises AccessDeniedError: the user is not allowed to write to an index
    :raises MappingError: an index accepts no document at all
    """
    outcomes = answer.get("items") if isinstance(answer, dict) else None
    # Outcomes have no ids, so they belong to documents only by their positions.
    if not isinstance(outcomes, list) or len(outcomes) != len(batch):
        raise UnexpectedAnswerError(
            f"The search server {name} answered a bulk request of {len(batch)} documents with "
            f"{_describe_outcomes(outcomes)}. All of them are resent; nothing is lost."
        )
    result = Answer()
    for item, outcome in zip(batch, outcomes, strict=True):
        action = "delete" if item.document is None else "index"
        # Only an answer to the requested action counts, because a proxy can answer with anything.
        reply = outcome.get(action) if isinstance(outcome, dict) else None
        if not isinstance(reply, dict) or not isinstance(reply.get("status"), int):
            _add_to_resend(result, item, 0, "the answer has no status")
        elif "error" in reply:
            _add_failure(result, item, reply["status"], reply["error"])
        else:
            _add_success(result, item, action, reply)
    return result


def _describe_outcomes(outcomes: Any) -> str:
    return f"{len(outcomes)} items" if isinstance(outcomes, list) else "no list of items"


def _add_to_resend(result: Answer, item: BulkItem, status: int, why: str) -> None:
    result.to_resend.append(item)
    result.resend_status, result.resend_reason = status, why


def _add_success(result: Answer, item: BulkItem, action: str, reply: dict[str, Any]) -> None:
    outcome, status = reply.get("result"), reply["status"]
    # A proxy can answer 200 with anything, so an item counts only with a known result. A deletion of a missing
    # document has the status 404.
    if outcome not in _SUCCESSES[action] or not (200 <= status < 300 or outcome == "not_found"):
        _add_to_resend(result, item, status, "the answer has no known result")
        return
    result.created += outcome == "created"
    # The event was loaded before, or occurs twice in this load.
    if outcome == "updated":
        result.updated += 1
        result.replaced.append(item)


def _add_failure(result: Answer, item: BulkItem, status: int, error: Any) -> None:
    reasons = join_reasons(error)
    if is_transient(status, error):
        # A 429 usually passes, but it is also the answer to an item that exceeds the server's limits on its own.
        if status == 429 and never_fits(reasons):
            result.too_large.append(Rejection(item, TOO_LARGE, reasons))
            return
        _add_to_resend(result, item, status, safe_text(cut_quoted_content(reasons)))
    elif status == 413:
        result.too_large.append(Rejection(item, TOO_LARGE, reasons))
    else:
        result.rejections.append(_make_rejection(item, status, error))


def is_transient(status: int, error: Any) -> bool:
    """Return whether an error is a fault of the server, so that a retry can succeed.

    Only a status from 400 to 499 together with an error that has a kind is a permanent rejection.
    """
    kind = error.get("type") if isinstance(error, dict) else None
    # An error without a kind is not in a server's form: it is a proxy's, for example.
    return status in _TRANSIENT_STATUSES or not 400 <= status < 500 or kind is None or kind in _TRANSIENT_KINDS


def join_reasons(error: Any) -> str:
    """Return the reasons of an error and of its causes, joined by colons."""
    reasons: list[str] = []
    cause = error
    while isinstance(cause, dict):
        text = cause.get("reason") or cause.get("type")
        # A cause often repeats the reason of the error around it.
        if text and text not in reasons:
            reasons.append(str(text))
        cause = cause.get("caused_by")
    return ": ".join(reasons) or str(error)


def _make_rejection(item: BulkItem, status: int, error: dict[str, Any]) -> Rejection:
    kind, reasons = str(error.get("type")), join_reasons(error)
    quoted, index = safe_text(cut_quoted_content(reasons)), safe_text(item.index)
    # This concerns all documents of the index, so the load fails instead of filling the quarantine.
    if status in {401, 403}:
        raise AccessDeniedError(f"The search server does not allow this user to write to {index}: {quoted}.")
    remedy = find_index_remedy(kind, reasons)
    if remedy is not None:
        raise MappingError(f"The search server cannot write to the index {index}: {quoted}. {remedy}.")
    return Rejection(item, kind, reasons)
