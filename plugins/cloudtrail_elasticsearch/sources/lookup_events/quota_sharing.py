"""Shares a region's quota between workers: each announces itself while it looks up events.

See docs/adr/0009-workers-share-a-quota.md.
"""

from __future__ import annotations

import logging
import secrets
import threading
from typing import Final, Self

from cloudtrail_elasticsearch.core.errors import LoaderError
from cloudtrail_elasticsearch.sources.lookup_events.rate_limiter import RateLimiter
from cloudtrail_elasticsearch.sources.lookup_events.sharers import Sharers

log = logging.getLogger(__name__)

SECONDS_BETWEEN_ANNOUNCEMENTS: Final = 10.0
SECONDS_AT_LEAST: Final = 2.0
"""The shortest time between two announcements, even if calls are throttled."""


class QuotaSharing:
    """A context manager: inside it, this worker announces itself and takes only its share of the quota."""

    def __init__(self, sharers: Sharers, name: str, limiter: RateLimiter) -> None:
        self._sharers = sharers
        # Two attempts of one fetch share its id, but each is a worker with calls of its own.
        self._name = f"{name}-{secrets.token_hex(3)}"
        self._limiter = limiter
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sharers", daemon=True)

    def __enter__(self) -> Self:
        self._announce()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        # Wakes the thread, which otherwise waits up to ten seconds more.
        self._limiter.contended.set()
        self._thread.join()
        try:
            self._sharers.leave(self._name)
        except LoaderError as error:
            log.debug("Could not remove this worker's announcement; others count it until it expires: %s", error)

    def _run(self) -> None:
        while not self._is_over.wait(SECONDS_AT_LEAST):
            self._limiter.contended.wait(SECONDS_BETWEEN_ANNOUNCEMENTS)
            # Before the count, so that a call that is throttled during it leads to another count.
            self._limiter.contended.clear()
            # The end sets `contended`, too; then nothing is left to announce.
            if not self._is_over.is_set():
                self._announce()

    def _announce(self) -> None:
        try:
            self._limiter.set_share(self._sharers.announce(self._name))
        except LoaderError as error:
            # The share stays as it was. If it is too large, AWS throttles some calls.
            log.warning("Could not count the other workers in this region: %s", error)
