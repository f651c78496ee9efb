"""What the servers' refusals teach: paths that an index pattern cannot take under their own name.

They are kept in the cluster, in an index beside the data, so that the next run and the other workers know them:
one document for each pattern and path. Deleting it makes the loader try the path again.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.bulk import BulkItem, Refused
from cloudtrail_elasticsearch.core.events import content_id
from cloudtrail_elasticsearch.core.mapping import RULES_INDEX
from cloudtrail_elasticsearch.core.normalize import DERIVED
from cloudtrail_elasticsearch.core.send import MISSING_IS_EMPTY, Sender

log = logging.getLogger(__name__)

MAX_PATHS: Final = 10_000
REASON_CHARACTERS: Final = 1_000


@dataclass(frozen=True, slots=True)
class Lesson:
    """A path that the server refused, and the refusal."""

    path: str
    refused: Refused

    @property
    def goes_to(self) -> str:
        """Where the values at the path go from now on."""
        top = self.path.partition(".")[0]
        if top == "overflow":
            return "unindexed"
        return "nowhere, as the loader adds it" if top in DERIVED else f"overflow.{self.path}"


class Learned:
    """The paths that one index pattern is known to refuse; shared by the threads of a load."""

    def __init__(self, sender: Sender, pattern: str) -> None:
        self._sender = sender
        self._pattern = pattern
        self._lock = threading.Lock()
        self.paths: frozenset[str] = frozenset()

    def recall(self) -> None:
        """Read what was learned before, by whichever worker."""
        query = {"size": MAX_PATHS, "_source": ["path"], "query": {"term": {"pattern": self._pattern}}}
        answer = self._sender.ask(
            "POST",
            f"/{RULES_INDEX}/_search?{MISSING_IS_EMPTY}",
            codec.encode(query),
        )
        with self._lock:
            self.paths |= {hit["_source"]["path"] for hit in answer["hits"]["hits"]}

    def learn(self, lessons: Iterable[Lesson]) -> None:
        """Take lessons to heart, and write down those that are new."""
        with self._lock:
            new = {lesson.path: lesson for lesson in lessons if lesson.path not in self.paths}
            self.paths |= new.keys()
        if not new:
            return
        lost = self._sender.send([self._document(lesson) for lesson in new.values()]).refused
        for refusal in lost:
            log.warning("The server does not keep what was learned: %s.", refusal.kind)
        self._sender.ask("POST", f"/{RULES_INDEX}/_refresh")

    def _document(self, lesson: Lesson) -> BulkItem:
        item = lesson.refused.item
        identifier = content_id(f"{self._pattern} {lesson.path}".encode("utf-8", "surrogatepass"))[:23]
        log.warning(
            "The index %s refuses %s of event %s (%s): from now on its values go to %s. To try the path again, "
            "delete that rule: DELETE /%s/_doc/%s",
            item.index,
            lesson.path,
            item.id,
            lesson.refused.kind,
            lesson.goes_to,
            RULES_INDEX,
            identifier,
        )
        content = {
            "pattern": self._pattern,
            "path": lesson.path,
            "goesTo": lesson.goes_to,
            "kind": lesson.refused.kind,
            "reason": lesson.refused.reason[:REASON_CHARACTERS],
            "eventID": item.id,
            "learnedAt": datetime.now(UTC).isoformat(),
        }
        return BulkItem(identifier, RULES_INDEX, codec.encode(content))
