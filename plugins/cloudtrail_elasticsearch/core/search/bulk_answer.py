"""The answers to bulk requests: the outcome of each item."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from cloudtrail_elasticsearch.core.errors import AccessDeniedError, MappingError, UnexpectedAnswerError
from cloudtrail_elasticsearch.core.log_text import safe_text
from cloudtrail_elasticsearch.core.search.bulk import TOO_LARGE, BulkItem, Rejection
from cloudtrail_elasticsearch.core.search.rejection_reasons import (
    cut_quoted_content,
    find_index_remedy,
    never_fits,
)

# 408: the server gave up waiting; 409: another worker changes the document; 429: the server is busy.
_TRANSIENT_STATUSES: Final = frozenset({408, 409, 429})
"""The statuses below 500, of a request or of one item, for which a retry can succeed."""

_BLOCKED: Final = "cluster_block_exception"
"""The kind of error of a block (disk watermark, read-only index), which somebody may lift."""

_INDEX_EXISTS: Final = "resource_already_exists_exception"
"""The kind of error if the server wanted to create an index, and another request has just created it."""

_EXISTS: Final = "version_conflict_engine_exception"
"""The kind of error of a ``create`` whose document exists."""

_SUCCESSES: Final = {
    "create": frozenset({"created"}),
    "index": frozenset({"created", "updated"}),
    "update": frozenset({"created", "updated", "noop"}),
    # A missing document is as good as deleted: another attempt may have deleted it.
    "delete": frozenset({"deleted", "not_found"}),
}


@dataclass(frozen=True, slots=True)
class Conflict:
    """An item whose document exists, so that the server did not create it."""

    item: BulkItem
    index: str
    """The index that holds the document; the item's index can be an alias of it."""

    @property
    def key(self) -> tuple[str, str]:
        """The index and the id of the document."""
        return self.index, self.item.id

    @property
    def size(self) -> int:
        """The approximate number of bytes of the stored document."""
        return self.item.size


@dataclass(slots=True)
class Answer:
    """The outcomes of a request's items."""

    created: int = 0
    updated: int = 0
    replaced: list[BulkItem] = field(default_factory=list)
    """The items whose documents existed before; `updated` is their number. An equal document was left as it is."""
    conflicts: list[Conflict] = field(default_factory=list)
    """Items whose documents exist, and were not compared yet."""
    to_resend: list[BulkItem] = field(default_factory=list)
    """Items for which a retry can succeed."""
    resend_reason: str = ""
    resend_status: int = 0
    """The status of the last item to resend; 0 if its answer has no status."""
    rejections: list[Rejection] = field(default_factory=list)
    too_large: list[Rejection] = field(default_factory=list)
    """Items of requests that are always too large for this server; smaller requests may be accepted."""

    def add_existing(self, item: BulkItem) -> None:
        """Add an item whose document existed before."""
        self.updated += 1
        self.replaced.append(item)

    def add(self, other: Answer) -> None:
        """Add the outcomes of other items."""
        self.created += other.created
        self.updated += other.updated
        self.replaced += other.replaced
        self.conflicts += other.conflicts
        self.to_resend += other.to_resend
        self.resend_reason = other.resend_reason or self.resend_reason
        self.resend_status = other.resend_status or self.resend_status
        self.rejections += other.rejections
        self.too_large += other.too_large


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
        action = item.action
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
        result.add_existing(item)


def _add_failure(result: Answer, item: BulkItem, status: int, error: Any) -> None:
    if item.action == "create" and isinstance(error, dict) and error.get("type") == _EXISTS:
        # The error names the index itself, not an alias.
        result.conflicts.append(Conflict(item, str(error.get("index") or item.index)))
        return
    reasons = join_reasons(error)
    if is_transient(status, error) or error.get("type") == _INDEX_EXISTS:
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
    return status in _TRANSIENT_STATUSES or not 400 <= status < 500 or kind is None or kind == _BLOCKED


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
