"""Adapting documents to what an index refuses: its mapping is compared, its refusals are learned from.

Other people's indices have mappings of their own. What such a mapping contradicts is known before anything is
sent, and displaced in every document for that index. What only a refusal tells is learned: the path that the
server blames is displaced from then on, for all indices of the pattern. Where neither helps, the document is
changed alone: first everything of the event's own goes to ``overflow``, then the event to ``unindexed``.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Final

from cloudtrail_elasticsearch.core import codec, index_setup
from cloudtrail_elasticsearch.core.bulk import Answer, BulkItem, Refused
from cloudtrail_elasticsearch.core.displace import FIXED, displace, seal, standing
from cloudtrail_elasticsearch.core.events import Unreadable, content_id, parse_line
from cloudtrail_elasticsearch.core.index_setup import SearchServer
from cloudtrail_elasticsearch.core.learned import Learned, Lesson
from cloudtrail_elasticsearch.core.mapping import IndexPattern
from cloudtrail_elasticsearch.core.normalize import DERIVED, Normalizer
from cloudtrail_elasticsearch.core.own import OwnEvents, is_own_line
from cloudtrail_elasticsearch.core.quick import QuickPath
from cloudtrail_elasticsearch.core.refusals import blamed_path
from cloudtrail_elasticsearch.core.send import Sender
from cloudtrail_elasticsearch.core.shape import Kind, Shape

MAX_BLAMED: Final = 50
"""So many paths of one document are displaced one after another before all of them are."""


@dataclass(slots=True)
class _Case:
    """A refused document, and what is done for it alone."""

    refused: Refused
    paths: set[str] = field(default_factory=set)
    tries: int = 0
    is_sealed: bool = False
    is_lost: bool = False


class Adapter:
    """Renders lines as documents that the indices of a pattern take, as far as is known; and learns."""

    def __init__(
        self,
        server: SearchServer,
        sender: Sender,
        pattern: IndexPattern,
        shape: Shape,
        own_events: OwnEvents = OwnEvents.KEEP,
    ) -> None:
        self._server = server
        self._sender = sender
        self._pattern = pattern
        self._shape = shape
        self._normalizer = Normalizer(shape, own_events)
        self._quick = QuickPath(shape)
        self._marks = own_events is OwnEvents.MARK
        self._index_of = lru_cache(maxsize=400)(lambda day: pattern.name(datetime.fromisoformat(day)))
        self._learned = Learned(sender, pattern.text)
        self._refusing: dict[str, frozenset[str]] = {}
        flat = {name for name, node in shape.root.children.items() if node.kind is Kind.FLAT}
        self._too_wide = frozenset({"overflow", *flat})
        """Fields of many paths: to learn one because of one document would hide the others' values."""

    def prepare(self) -> None:
        """Make the index set-up or bring it up to date, and read what was learned before."""
        self._refusing = index_setup.prepare(self._server, self._pattern, self._shape)
        self._learned.recall()

    def item(self, line: bytes, identifier: str | None = None) -> BulkItem | Refused:
        """Return a line's document; it is named by its event where no name is given."""
        if identifier is None and not self._learned.paths and not (self._marks and is_own_line(line)):
            quick = self._quick.document(line)
            if quick is not None:
                index = self._index_of(quick.day)
                if not self._refusing.get(index):
                    return BulkItem(quick.id, index, quick.source, line, is_quick=True)
        return self._render(line, identifier)

    def resend(self, refused: list[Refused]) -> Answer:
        """Learn from refusals and send the documents again, until each is taken or nothing is left to try.

        All documents go in one request, each time; paths are learned from all their refusals at once.
        """
        if any(entry.item.index not in self._refusing for entry in refused):
            self.prepare()
        total = Answer()
        cases = [_Case(entry) for entry in refused]
        while cases:
            self._learned.learn([lesson for case in cases if (lesson := self._study(case))])
            total.refused += [case.refused for case in cases if case.is_lost]
            waiting = {
                id(item): (item, case) for case in cases if not case.is_lost for item in [self._again(case)]
            }
            answer = self._sender.send([item for item, _ in waiting.values()])
            cases = []
            for entry in answer.refused:
                case = waiting[id(entry.item)][1]
                case.refused = entry
                cases.append(case)
            answer.refused = []
            total.add(answer)
        return total

    def _study(self, case: _Case) -> Lesson | None:
        """Say what a refusal teaches about all documents, or note what to do for this one alone."""
        item = case.refused.item
        source = codec.decode(item.document or b"{}")
        blamed = blamed_path(case.refused.reason)
        path = standing(source, blamed) if blamed else None
        if path is None and item.is_quick:  # its text is CloudTrail's own, in which a name may stand twice
            return None
        case.tries += 1
        if path is None or path.partition(".")[0] in FIXED or case.tries > MAX_BLAMED:
            everything = {name for name in source if name not in DERIVED}
            case.is_lost = case.is_sealed
            case.is_sealed = not everything
            case.paths |= everything
            return None
        if path in self._too_wide:
            case.paths.add(path)
            return None
        if path in self._refusing.get(item.index, ()):
            return None
        return Lesson(path, case.refused)

    def _again(self, case: _Case) -> BulkItem:
        item = case.refused.item
        made = self._render(item.original, item.id, case)
        assert isinstance(made, BulkItem)  # noqa: S101 - the line was readable before
        return made

    def _render(self, line: bytes, identifier: str | None, case: _Case | None = None) -> BulkItem | Refused:
        event = parse_line(line)
        if isinstance(event, Unreadable):
            item = BulkItem(identifier or content_id(line), "", b"", line)
            return Refused(item, "unreadable", event.reason)
        document = self._normalizer.document(event)
        index = self._pattern.name(document.time)
        source = document.source
        paths = self._learned.paths | self._refusing.get(index, frozenset())
        if case is not None:
            paths |= case.paths
            source = seal(source) if case.is_sealed else source
        if paths:
            source = displace(source, paths)
        return BulkItem(identifier or document.id, index, codec.encode(source), line)
