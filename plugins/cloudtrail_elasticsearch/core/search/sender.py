"""Sends requests to a search server and retries transient errors, in bulk requests item by item."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TypeVar

import msgspec
from tenacity import (
    Retrying,
    before_sleep_log,
    retry_if_exception_type,
    stop_after_delay,
    wait_random_exponential,
)

from cloudtrail_elasticsearch.core.errors import ThrottledError, TooLargeError, TransientError
from cloudtrail_elasticsearch.core.log_text import safe_text
from cloudtrail_elasticsearch.core.search import bulk, stored_documents
from cloudtrail_elasticsearch.core.search.answers import send_request
from cloudtrail_elasticsearch.core.search.bulk import BulkItem, Rejection
from cloudtrail_elasticsearch.core.search.bulk_answer import Answer, Conflict, read_answer
from cloudtrail_elasticsearch.core.search.server import SearchServer

Value = TypeVar("Value")
log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """The sizes and the patience of a load, which are bounded, so that memory is bounded too."""

    # The sizes were measured: docs/adr/0014-a-load-leaves-the-settings-alone.md
    request_bytes: int = 5 * 1024 * 1024
    request_items: int = 5_000
    senders: int = 2
    patience: float = 300.0
    """Seconds for which one request is retried. Then the attempt fails, and the next one resumes."""
    longest_pause: float = 20.0
    """The longest pause between two retries, in seconds."""
    renews_enrichment: bool = False
    """Whether documents that differ from the stored ones in enrichment only are replaced (ADR-0030)."""


class Sender:
    """Sends requests until the server accepts or rejects them."""

    def __init__(self, server: SearchServer, settings: LoadSettings) -> None:
        self._server = server
        self._settings = settings

    def request(self, expected: type[Value], method: str, path: str, body: bytes | None = None) -> Value:
        """Send one request, with retries, and return the answer, converted to the expected type.

        :raises TransientError: the server gave no answer of this type within the patience
        """
        return self.retry(lambda: send_request(self._server, expected, method, path, body))

    def retry(self, request: Callable[[], Value]) -> Value:
        """Call a function that sends idempotent requests, retry it on transient errors, and return its result.

        :raises TransientError: the server did not recover within the patience
        """
        retrying = Retrying(
            retry=retry_if_exception_type(TransientError),
            stop=stop_after_delay(self._settings.patience),
            # Random, so that senders and workers do not retry at the same moment.
            wait=wait_random_exponential(multiplier=0.5, max=self._settings.longest_pause),
            before_sleep=before_sleep_log(log, logging.WARNING),
            reraise=True,
        )
        return retrying(request)

    def send(self, items: list[BulkItem]) -> Answer:
        """Send items in bulk requests until each is accepted or rejected. A request that is too large is halved.

        If an event's document exists, an equal one stays as it is, and any other is replaced (ADR-0023).

        A document that is too large even alone is rejected with the kind `bulk.TOO_LARGE`.

        :raises TransientError: the server did not recover within the patience
        :raises ConfigurationError: the server rejects the whole request
        """
        total = Answer()
        if not items:
            return total
        waiting = items

        def attempt() -> None:
            nonlocal waiting
            sent = self._server.request("POST", bulk.BULK_PATH, bulk.encode_bulk_body(waiting))
            answer = read_answer(waiting, sent, self._server.name)
            # Accepted items are not sent again: the retry has only the items that the server could not accept now.
            waiting, answer.to_resend = answer.to_resend, []
            total.add(answer)
            if waiting:
                raise ThrottledError(self._describe_waiting(waiting, answer))

        try:
            self.retry(attempt)
        # The server rejected the request as a whole, so it is halved like one whose items were too large.
        except TooLargeError as error:
            total.too_large += [Rejection(item, bulk.TOO_LARGE, str(error)) for item in waiting]
        conflicts, total.conflicts = total.conflicts, []
        if conflicts:
            total.add(self._settle(conflicts))
        too_large, total.too_large = total.too_large, []
        # A single document cannot be halved, so it is rejected.
        if len(items) == 1:
            total.rejections += too_large
            return total
        # Recursive, but shallow: each level halves the request.
        for half in _halves([rejection.item for rejection in too_large]):
            total.add(self.send(half))
        return total

    def _settle(self, conflicts: list[Conflict]) -> Answer:
        """Compare documents that exist with those of the items, and replace those that differ."""
        settled = Answer()
        changed: list[BulkItem] = []
        prevailing = stored_documents.keep_last(conflicts)
        for some in bulk.group_into_batches(prevailing, stored_documents.READ_BYTES, stored_documents.READ_ITEMS):
            renews = self._settings.renews_enrichment
            changed += self.retry(partial(stored_documents.find_changed, self._server, some, renews))
        differing = set(map(id, changed))
        for conflict in conflicts:
            if id(conflict.item) not in differing:
                settled.add_existing(conflict.item)
        # Sent with `index`: a document that was deleted meanwhile is created again.
        replacing = [msgspec.structs.replace(item, replaces=True) for item in changed]
        originals = dict(zip(map(id, replacing), changed, strict=True))
        answer = self.send(replacing)
        # Callers match rejections with their own items, by identity.
        answer.rejections = [replace(entry, item=originals[id(entry.item)]) for entry in answer.rejections]
        settled.add(answer)
        return settled

    def _describe_waiting(self, waiting: list[BulkItem], answer: Answer) -> str:
        first, why = waiting[0], answer.resend_reason
        return (
            f"The search server {self._server.name} did not accept {len(waiting)} documents for "
            f"{safe_text(first.index)} (for example eventID {safe_text(first.id)}): status "
            f"{answer.resend_status}, {why}. Nothing is lost: this attempt or the next one resends them."
        )


def _halves(items: list[BulkItem]) -> list[list[BulkItem]]:
    """Return the items in two halves; one item gives one half, no item gives none."""
    middle = (len(items) + 1) // 2
    return [half for half in (items[:middle], items[middle:]) if half]
