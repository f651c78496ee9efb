"""Rejected paths: paths whose values the indices of a pattern reject.

They are stored in an index beside the data, so that later runs and other workers know them: one document for each
pattern and path (docs/adr/0006-refused-paths-are-displaced.md). If a document is deleted, the loader uses the path
again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

import msgspec

from cloudtrail_elasticsearch.core.documents.events import content_id
from cloudtrail_elasticsearch.core.documents.restore import DERIVED
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.index.index_pattern import RULES_INDEX
from cloudtrail_elasticsearch.core.log_text import safe_text
from cloudtrail_elasticsearch.core.search.bulk import BulkItem, Rejection
from cloudtrail_elasticsearch.core.search.reader import IndexReader
from cloudtrail_elasticsearch.core.search.sender import Sender

log = logging.getLogger(__name__)

# A server returns at most this many hits (index.max_result_window).
MAX_PATHS: Final = 10_000
REASON_CHARACTERS: Final = 1_000


@dataclass(frozen=True, slots=True)
class RejectedPath:
    """A path whose value the server rejected, with the rejection."""

    path: str
    rejection: Rejection

    @property
    def goes_to(self) -> str:
        """The place of the path's values from now on, for the log and the stored rule."""
        top = self.path.partition(".")[0]
        if top == "overflow":
            return "unindexed"
        if top in DERIVED:  # it is not the event's own, so nothing is lost without it
            return "nowhere (the field is dropped: the loader generates it)"
        return f"overflow.{self.path}"


class _Rule(msgspec.Struct, frozen=True):
    path: str


class RejectedPaths:
    """The known rejected paths of one index pattern; shared by the threads of a load."""

    def __init__(self, sender: Sender, pattern: str) -> None:
        self._sender = sender
        self._reader = IndexReader(sender.request, RULES_INDEX)
        self._pattern = pattern
        self._lock = threading.Lock()
        # Replaced as a whole, so that threads can read it without the lock.
        self.paths: frozenset[str] = frozenset()

    def load(self) -> None:
        """Read the paths that this or any other worker has stored."""
        query = {"size": MAX_PATHS, "_source": ["path"], "query": {"term": {"pattern": self._pattern}}}
        found = self._reader.find(query, _Rule)
        with self._lock:
            # Added to the known ones: a path that was just learned may not be searchable yet.
            self.paths |= {hit.source.path for hit in found}

    def add(self, rejected_paths: Iterable[RejectedPath]) -> None:
        """Add paths, and store those that are new."""
        with self._lock:
            new = {rejected.path: rejected for rejected in rejected_paths if rejected.path not in self.paths}
            self.paths |= new.keys()
        if not new:
            return
        # Without the lock, so that other threads do not wait for the server.
        lost = self._sender.send([self._make_document(rejected) for rejected in new.values()]).rejections
        # Not an error: this load displaces the path anyway, and other workers learn it from their own rejections.
        for rejection in lost:
            log.warning("Could not store a rejected path in %s: %s.", RULES_INDEX, safe_text(rejection.kind))
        self._reader.refresh()

    def _make_document(self, rejected: RejectedPath) -> BulkItem:
        item = rejected.rejection.item
        # Made of pattern and path, so that workers that learn a path at once write one document.
        identifier = content_id(f"{self._pattern} {rejected.path}".encode("utf-8", "surrogatepass"))[:23]
        log.warning(
            "The index %s rejected the path %s of event %s (%s). From now on its values go to %s. To use the path "
            "again, delete this rule: DELETE /%s/_doc/%s",
            safe_text(item.index),
            safe_text(rejected.path),
            safe_text(item.id),
            safe_text(rejected.rejection.kind),
            safe_text(rejected.goes_to),
            RULES_INDEX,
            identifier,
        )
        content = {
            "pattern": self._pattern,
            "path": rejected.path,
            "goesTo": rejected.goes_to,
            "kind": rejected.rejection.kind,
            "reason": rejected.rejection.reason[:REASON_CHARACTERS],
            "eventID": item.id,
            "learnedAt": datetime.now(UTC).isoformat(),
        }
        return BulkItem(identifier, RULES_INDEX, codec.encode(content))
