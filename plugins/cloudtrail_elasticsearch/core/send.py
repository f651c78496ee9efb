"""Sending to a search server, with patience: what passes by itself is tried again, item by item."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from tenacity import (
    Retrying,
    before_sleep_log,
    retry_if_exception_type,
    stop_after_delay,
    wait_random_exponential,
)

from cloudtrail_elasticsearch.core import bulk
from cloudtrail_elasticsearch.core.bulk import Answer, BulkItem
from cloudtrail_elasticsearch.core.errors import ThrottledError, TooLargeError, TransientError
from cloudtrail_elasticsearch.core.index_setup import SearchServer

log = logging.getLogger(__name__)

MISSING_IS_EMPTY: Final = "ignore_unavailable=true&allow_no_indices=true"
"""The options by which a search of an index that was never written to finds nothing, instead of failing."""


@dataclass(frozen=True, slots=True)
class LoadSettings:
    """The sizes and patience of a load; all of them bounded, so that memory is too."""

    request_bytes: int = 5 * 1024 * 1024
    request_items: int = 5_000
    senders: int = 2
    patience: float = 300.0
    """Seconds for which one request is tried again before the load gives up, for the next attempt to go on."""
    longest_pause: float = 20.0


class Sender:
    """Sends requests until the server has acknowledged or refused them."""

    def __init__(self, server: SearchServer, settings: LoadSettings) -> None:
        self._server = server
        self._settings = settings

    def ask(self, method: str, path: str, body: bytes | None = None) -> Any:
        """Send one request and return the answer's JSON.

        :raises TransientError: the server did not recover within the patience
        """
        return self.patiently(lambda: self._server.request(method, path, body))

    def patiently(self, request: Callable[[], Any]) -> Any:
        """Make requests that can be made again until the server has answered, and return the answer.

        :raises TransientError: the server did not recover within the patience
        """
        return self._retrying()(request)

    def send(self, items: list[BulkItem]) -> Answer:
        """Send items in bulk until each is taken or refused; a request that is too large is halved.

        :raises TransientError: the server did not recover within the patience
        :raises ConfigurationError: the server refuses more than a document
        """
        total = Answer()
        if not items:
            return total
        waiting = items

        def attempt() -> None:
            nonlocal waiting
            answer = bulk.read_answer(waiting, self._server.request("POST", bulk.PATH, bulk.body(waiting)))
            waiting, answer.again = answer.again, []
            total.add(answer)
            if waiting:
                raise ThrottledError(
                    f"The search server did not take {len(waiting)} documents for {waiting[0].index} "
                    f"(eventID {waiting[0].id} is one): {answer.why_again}. Nothing is lost: they are sent again, "
                    f"by the next attempt at the latest."
                )

        try:
            self._retrying()(attempt)
        except TooLargeError:
            if len(waiting) == 1:
                raise
            middle = len(waiting) // 2
            total.add(self.send(waiting[:middle]))
            total.add(self.send(waiting[middle:]))
        return total

    def _retrying(self) -> Retrying:
        settings = self._settings
        return Retrying(
            retry=retry_if_exception_type(TransientError),
            stop=stop_after_delay(settings.patience),
            wait=wait_random_exponential(multiplier=0.5, max=settings.longest_pause),
            before_sleep=before_sleep_log(log, logging.WARNING),
            reraise=True,
        )
