"""Adapts documents to indices whose own mapping rejects some values.

Indices that other people made have mappings of their own. The loader takes three steps, in this order
(docs/adr/0006-refused-paths-are-displaced.md):

1. It compares the mapping before it sends anything. If a path's type there does not accept all of the loader's
   values, the path is displaced (moved to ``overflow``) in every document for that index.
2. Some rejections cannot be foreseen by a comparison. The path that the server names is displaced from then on, in
   all indices of the pattern.
3. If the server names no path, only this document is changed: first all of the event's fields go to ``overflow``,
   then the whole event to ``unindexed``, and last the time of sending is left out.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from cloudtrail_elasticsearch.core.documents.declared_fields import Kind
from cloudtrail_elasticsearch.core.documents.displace import FIXED, displace, seal, standing
from cloudtrail_elasticsearch.core.documents.events import Unreadable, content_id, parse_line
from cloudtrail_elasticsearch.core.documents.fast_path import FastPath
from cloudtrail_elasticsearch.core.documents.normalize import Normalizer
from cloudtrail_elasticsearch.core.documents.own_events import OwnEvents, is_own_line
from cloudtrail_elasticsearch.core.documents.restore import DERIVED
from cloudtrail_elasticsearch.core.documents.schema import Schema
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.index.event_indices import EventIndices
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern, make_index_lookup
from cloudtrail_elasticsearch.core.index.index_settings import IndexSettings
from cloudtrail_elasticsearch.core.loading.rejected_paths import RejectedPath, RejectedPaths
from cloudtrail_elasticsearch.core.search.bulk import BulkItem, Rejection
from cloudtrail_elasticsearch.core.search.bulk_answer import Answer
from cloudtrail_elasticsearch.core.search.rejection_reasons import PIPELINE_REMEDY, find_blamed_path, names_alias
from cloudtrail_elasticsearch.core.search.sender import Sender
from cloudtrail_elasticsearch.core.search.sending_time import INGESTED, TIME_PATHS, TimePlace, make_room
from cloudtrail_elasticsearch.core.search.server import SearchServer

_TIME: Final = frozenset({INGESTED})

MAX_BLAMED: Final = 50
"""The most paths of one document that are displaced one by one. Then all of its paths are displaced at once."""


@dataclass(slots=True)
class _Case:
    """A rejected document, and the changes that are made to it alone."""

    rejection: Rejection
    paths: set[str] = field(default_factory=set)
    """Paths that are displaced in this document only."""
    tries: int = 0
    is_sealed: bool = False
    """Whether the whole event goes to ``unindexed``."""
    is_lost: bool = False
    """Whether no further change can help, so that the event goes to the quarantine."""


class Adapter:
    """Renders lines as documents that the pattern's indices accept, and learns from rejections."""

    def __init__(
        self,
        server: SearchServer,
        sender: Sender,
        pattern: IndexPattern,
        schema: Schema,
        own_events: OwnEvents = OwnEvents.KEEP,
        index_settings: IndexSettings | None = None,
    ) -> None:
        self._sender = sender
        self._pattern = pattern
        self._normalizer = Normalizer(schema, own_events)
        self._fast_path = FastPath(schema)
        self._time_place = TimePlace.IN_EVENT if schema.ecs else TimePlace.ALONE
        """The place of the time in the fast path's documents."""
        self._marks = own_events is OwnEvents.MARK
        self._index_of = make_index_lookup(pattern)
        self._rejected_paths = RejectedPaths(sender, pattern.text)
        self._indices = EventIndices(server, pattern, schema, index_settings)
        flat = {name for name, node in schema.root.children.items() if node.kind is Kind.FLAT}
        self._too_wide = frozenset({"overflow", *flat})
        """Flat fields with many paths. Learning one of them because of one document would displace all documents'
        values in it, so it is displaced in that document only."""

    def prepare(self) -> None:
        """Create or update the index templates and indices, and read the paths that were rejected before."""
        self._indices.prepare()
        self._rejected_paths.load()

    @property
    def index_names(self) -> frozenset[str]:
        """The indices that documents were rendered for; if the pattern is a fixed name, always that index."""
        fixed = () if self._pattern.is_dated else (self._pattern.text,)
        return frozenset((*fixed, *self._indices.rejecting_paths))

    def render(self, line: bytes, identifier: str | None = None) -> BulkItem | Rejection:
        """Return a line's document, or a rejection if the line is not an event.

        :param identifier: the document's id; by default the eventID
        """
        # The fast path cannot displace values or mark own events, so it is skipped if either is needed (ADR-0011).
        rejected = self._rejected_paths.paths
        if identifier is None and rejected <= _TIME and not (self._marks and is_own_line(line)):
            fast = self._fast_path.document(line)
            if fast is not None:
                index = self._index_of(fast.day)
                rejecting = self._find_rejecting_paths(index)
                if rejecting <= _TIME:
                    place = None if rejected or rejecting else self._time_place
                    return BulkItem(fast.id, index, fast.source, line, time_place=place)
        return self._render_event(line, identifier)

    def resend(self, rejections: list[Rejection]) -> Answer:
        """Adapt rejected documents and resend them, until each is accepted or no change is left to try.

        A rejection that does not name the document's content as the cause is final: no document is changed for it.
        Each round sends all documents in one request, and learns the paths of all their rejections at once.
        """
        total = Answer()
        cases = [_Case(entry, is_lost=not entry.blames_document) for entry in rejections]
        while cases:
            self._rejected_paths.add([new_path for case in cases if (new_path := self._study(case))])
            total.rejections += [case.rejection for case in cases if case.is_lost]
            # Documents of one round can be equal, so the answer's items are matched by identity.
            waiting = {
                id(item): (item, case) for case in cases if not case.is_lost for item in [self._render_again(case)]
            }
            answer = self._sender.send([item for item, _ in waiting.values()])
            cases = []
            for entry in answer.rejections:
                case = waiting[id(entry.item)][1]
                case.rejection = entry
                case.is_lost = not entry.blames_document
                cases.append(case)
            # They are tried again in the next round, so they are no result yet.
            answer.rejections = []
            total.add(answer)
        return total

    def _study(self, case: _Case) -> RejectedPath | None:
        """Return a path to displace in all documents; if there is none, record a change for this document only."""
        if case.is_lost:
            return None
        item = case.rejection.item
        # The document as it was sent, because the server names a path in it.
        text, place = item.document or b"{}", item.time_place
        source = codec.decode(text if place is None else text[:-place] + place.make_end(datetime.now(UTC)))
        blamed = find_blamed_path(case.rejection.reason)
        path = standing(source, blamed) if blamed else None
        if path is None and names_alias(case.rejection.reason):
            # No change of the document helps: without the field that it reads, the pipeline fails or does nothing.
            case.rejection = replace(case.rejection, reason=f"{case.rejection.reason} {PIPELINE_REMEDY}")
            case.is_lost = True
            return None
        case.tries += 1
        if path is None or path.partition(".")[0] in FIXED or case.tries > MAX_BLAMED:
            # No single path can be displaced: first all of the event's fields go to `overflow`, then the whole
            # event to `unindexed`, last without the time. If that is rejected too, the event goes to quarantine.
            everything = {name for name in source if name not in DERIVED}
            case.is_lost = case.is_sealed and place is None
            case.paths |= _TIME if case.is_sealed else everything
            case.is_sealed = not everything
            return None
        if path in self._too_wide:
            case.paths.add(path)
            return None
        if path in self._find_rejecting_paths(item.index):  # known since: the document was rendered before
            return None
        return RejectedPath(path, case.rejection)

    def _render_again(self, case: _Case) -> BulkItem:
        item = case.rejection.item
        # From the line, so that all paths that are known by now are displaced together.
        made = self._render_event(item.original, item.id, case)
        assert isinstance(made, BulkItem)  # noqa: S101 - the line was readable before
        return made

    def _find_rejecting_paths(self, index: str) -> frozenset[str]:
        """Return the paths whose values an index's own mapping rejects.

        The first call for an index creates it, or compares its mapping.
        """
        # Without a lock, because this is read for every document; `ensure` locks for a new index.
        known = self._indices.rejecting_paths.get(index)
        if known is not None:
            return known
        made: frozenset[str] = self._sender.retry(lambda: self._indices.ensure(index))
        return made

    def _render_event(
        self, line: bytes, identifier: str | None, case: _Case | None = None
    ) -> BulkItem | Rejection:
        event = parse_line(line)
        if isinstance(event, Unreadable):
            # No index: a line without an event goes to the quarantine only.
            item = BulkItem(identifier or content_id(line), "", b"", line)
            return Rejection(item, "unreadable", event.reason)
        document = self._normalizer.document(event)
        index = self._index_of(None if document.time is None else str(document.time.date()))
        source = document.source
        paths = self._rejected_paths.paths | self._find_rejecting_paths(index)
        if case is not None:
            paths |= case.paths
            source = seal(source) if case.is_sealed else source
        # A sealed document has a time outside of `unindexed`, which the index can reject, too.
        if paths:
            source = displace(source, paths)
        source, place = make_room(source)
        # An index of somebody else can have another field there; its documents have no time (ADR-0023).
        time_place = place if paths.isdisjoint(TIME_PATHS) else None
        return BulkItem(identifier or document.id, index, codec.encode(source), line, time_place=time_place)
