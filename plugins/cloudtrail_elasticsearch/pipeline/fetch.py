"""Fetch: a window's slices, paged side by side at the region's quota, into parts and a manifest.

Every page is in S3 before the next one of its slice is asked for, and what the slices are is in the state store
before they are paged. So an attempt that is killed has, for each slice, at most the one page to ask for again that
was on its way.
"""

from __future__ import annotations

import json
import logging
import math
import secrets
import threading
import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Final, Self

import msgspec

from cloudtrail_elasticsearch.core.errors import AccessDeniedError, ExpiredPageError, LoaderError, StagingError
from cloudtrail_elasticsearch.core.events import staged_event
from cloudtrail_elasticsearch.core.pace import Pace
from cloudtrail_elasticsearch.core.slices import Position, Slice, worth_dividing
from cloudtrail_elasticsearch.core.state import Memory, StateStore
from cloudtrail_elasticsearch.core.windows import Window
from cloudtrail_elasticsearch.pipeline.telling import Telling
from cloudtrail_elasticsearch.sources.lookup_events import LookupEvents
from cloudtrail_elasticsearch.staging import Manifest, Part, Staging
from cloudtrail_elasticsearch.staging.parts import PageHead, PartBuilder, StagedPage
from cloudtrail_elasticsearch.staging.sharers import Sharers

log = logging.getLogger(__name__)

PAGES_PER_PART: Final = 100
MOST_SLICES: Final = 8
"""So many slices are paged at once at most: enough for a quota of 2 calls a second at 4 s a call."""

SECONDS_BETWEEN_ANNOUNCEMENTS: Final = 10.0
SECONDS_AT_LEAST: Final = 2.0
"""Between two of them, even where calls are throttled."""

PARTS_PER_SLICE: Final = 16
"""A slice of more is ended soon, so that what is kept of those at work stays small."""

STATE_KEY: Final = "fetch"

_TIME: Final = "%Y%m%dT%H%M%SZ"


def fetch(window: Window, source: LookupEvents, staging: Staging, store: StateStore) -> Manifest:
    """Look up every event of a window and stage it; the manifest is written last.

    What an earlier attempt has looked up, by the word of the state store, is not looked up again.

    :raises AccessDeniedError: a permission is missing
    :raises TransientError: AWS throttles or fails for longer than the source's patience
    """
    standing = staging.standing(window)
    lookup = Lookup(window, source, staging, store)
    if standing.manifest is not None and standing.manifest.fetch == lookup.id:
        log.info("%s was staged by an attempt that ended right after.", window.name)
        return lookup.settle(standing.manifest)
    manifest = lookup.run()
    if not staging.publish(manifest, standing):
        manifest = staging.manifest(window) or manifest
        log.warning("%s was staged by another run meanwhile: its manifest stands.", window.name)
    replaced = standing.manifest.fetches if standing.manifest else ()
    return lookup.settle(manifest, replaced)


class _SliceRecord(msgspec.Struct, frozen=True, omit_defaults=True):
    """A slice as it is kept: its position is that of its last whole part."""

    end: datetime
    floor: datetime
    position: Position | None = None
    parts: tuple[Part, ...] = ()
    is_done: bool = False

    @property
    def name(self) -> str:
        return f"{self.floor:{_TIME}}-{self.end:{_TIME}}"


class _FetchRecord(msgspec.Struct, frozen=True):
    """A fetch as it is kept; a slice that is done has only its ends here, the rest is an object in staging."""

    id: str
    attempts: int
    calls: int
    throttled: int
    slices: tuple[_SliceRecord, ...]


@dataclass(slots=True)
class _Paging:
    """A slice at work: its part in the making, and the parts made."""

    slice: Slice
    kept: Position
    parts: list[Part] = field(default_factory=list)
    builder: PartBuilder = field(default_factory=PartBuilder)
    has_kept_pages: bool = False
    is_taken: bool = False

    @classmethod
    def of(cls, new: Slice) -> _Paging:
        return cls(new, new.position)

    def page_name(self, number: int) -> str:
        return f"{self.slice.end:{_TIME}}-{number:06d}"

    @property
    def is_staged(self) -> bool:
        """Whether it is looked up to its floor, and its last part is written too."""
        return self.slice.is_done and self.kept is self.slice.position

    @property
    def record(self) -> _SliceRecord:
        """The slice as far as its parts are written."""
        return _SliceRecord(self.slice.end, self.slice.floor, self.kept, tuple(self.parts), self.is_staged)

    @property
    def short_record(self) -> _SliceRecord:
        """The same as it fits into a state store with hundreds of others."""
        return _SliceRecord(self.slice.end, self.slice.floor, is_done=True) if self.is_staged else self.record


class Lookup:
    """One attempt at looking up a window; it goes on where an earlier one was ended."""

    def __init__(
        self,
        window: Window,
        source: LookupEvents,
        staging: Staging,
        store: StateStore,
        state_key: str = STATE_KEY,
    ) -> None:
        self._window = window
        self._source = source
        self._staging = staging
        self._memory = Memory(store, state_key, f"{staging.uri(window)} {window.name}")
        self._changed = threading.Condition()
        self._keeping = threading.Lock()
        self._is_over = False
        self._has_kept = False
        self._seconds_a_page = 0.0
        self.id = f"{datetime.now(UTC):{_TIME}}-{secrets.token_hex(3)}"
        """The fetch's id, that of the earlier attempts where there were any."""
        self._attempts = 1
        self._calls = self._throttled = 0
        self._pagings: list[_Paging] = []
        self._left_behind: set[str] = set()
        self._recall()
        self._telling = Telling(f"Looked up {window.name}", self._looked_up, self._share)

    def run(self) -> Manifest:
        """Look up what is left and return the manifest that is to be published."""
        if not self._pagings:
            whole = _Paging.of(Slice.between(self._window.start, self._window.end))
            self._pagings.append(whole)
            self._page(whole)
        if not all(paging.slice.is_done for paging in self._pagings):
            self._keep()
            with _Announced(self._staging.sharers(self._window), self.id, self._source.pace):
                self._page_side_by_side()
        return self._manifest()

    def settle(self, manifest: Manifest, replaced: Iterable[str] = ()) -> Manifest:
        """Remove what nobody needs once a manifest stands, and return it; it is no failure if that cannot be.

        :param replaced: ids of fetches whose parts it may name no more
        """
        fetches = {*replaced, *((self.id,) if self._has_kept or manifest.fetch != self.id else ())}
        if self._has_kept:
            self._memory.forget()
        try:
            self._staging.tidy(self._window, manifest, fetches)
        except AccessDeniedError as error:
            log.warning("What was kept for a restart stays in the bucket: %s", error)
        log.info(
            "Staged %s: %d events in %d parts, %d calls, %d of them throttled.",
            self._window.name,
            manifest.staged,
            len(manifest.parts),
            manifest.calls,
            manifest.throttled,
        )
        return manifest

    def _page_side_by_side(self) -> None:
        with ThreadPoolExecutor(MOST_SLICES, thread_name_prefix="slice") as pool:
            workers = [pool.submit(self._work) for _ in range(MOST_SLICES)]
            try:
                for worker in workers:
                    worker.result()
            finally:
                self._end()

    def _work(self) -> None:
        try:
            while paging := self._next():
                self._page(paging)
                if not paging.slice.is_done:
                    with self._changed:
                        paging.is_taken = False
                        self._changed.notify_all()
        except BaseException:
            self._end()
            raise

    def _end(self) -> None:
        with self._changed:
            self._is_over = True
            self._changed.notify_all()

    def _next(self) -> _Paging | None:
        """Return a slice to page, as soon as there is one; None when all are done, or a worker has failed."""
        with self._changed:
            while True:
                if self._is_over or all(paging.slice.is_done for paging in self._pagings):
                    return None
                taken = sum(paging.is_taken and not paging.slice.is_done for paging in self._pagings)
                if taken < self._worthwhile():
                    found = self._waiting() or self._divided()
                    if found is not None:
                        found.is_taken = True
                        break
                self._changed.wait()
        if not found.slice.position.pages:
            self._keep()
        return found

    def _worthwhile(self) -> int:
        """How many slices side by side use the quota up: more would only cost calls where they meet."""
        return min(MOST_SLICES, math.ceil(self._source.pace.rate * self._seconds_a_page) + 1)

    def _waiting(self) -> _Paging | None:
        idle = (paging for paging in self._pagings if not paging.is_taken and not paging.slice.is_done)
        return next(idle, None)

    def _divided(self) -> _Paging | None:
        unfinished = (paging.slice for paging in self._pagings if not paging.slice.is_done)
        largest = worth_dividing(unfinished, self._seconds_a_page)
        if largest is None:
            return None
        new = _Paging.of(largest.divide())
        self._pagings.append(new)
        return new

    def _page(self, paging: _Paging) -> None:
        """Look up one page of a slice, after those that earlier attempts have kept."""
        self._replay(paging)
        if paging.slice.is_done:
            return
        position = paging.slice.position
        try:
            answer = self._source.page(self._window, position.until, position.token)
        except ExpiredPageError as error:
            log.info("%s Going on by time, from %s.", error, position.cursor)
            with self._changed:
                paging.slice.go_on_by_time()
            return
        began = time.monotonic()
        with self._changed:
            self._calls += answer.calls
            self._throttled += answer.throttled
        page = StagedPage(PageHead(int(position.until.timestamp()), answer.token), answer.events)
        if answer.token and answer.events and answer.events[-1].time >= paging.slice.floor:
            page = self._staging.keep_page(self._window, self.id, paging.page_name(position.pages), page)
            paging.has_kept_pages = True
        self._accept(paging, page)
        seconds = answer.seconds + time.monotonic() - began
        self._seconds_a_page = max(seconds, 0.8 * self._seconds_a_page)

    def _replay(self, paging: _Paging) -> None:
        """Take the pages that earlier attempts have kept."""
        while self._left_behind and not paging.slice.is_done:
            name = paging.page_name(paging.slice.position.pages)
            if name not in self._left_behind:
                return
            page = self._staging.page(self._window, self.id, name)
            if page is None:
                return
            paging.has_kept_pages = True
            self._accept(paging, page)

    def _accept(self, paging: _Paging, page: StagedPage) -> None:
        with self._changed:
            until = datetime.fromtimestamp(page.head.until, UTC)
            fresh = paging.slice.accept(page.events, until, page.head.token)
            self._changed.notify_all()
        paging.builder.add(fresh)
        pages = paging.slice.position.pages - paging.kept.pages
        if paging.slice.is_done or pages >= PAGES_PER_PART:
            self._finish_part(paging)
        self._telling.tell(self._looked_up, self._share)

    @property
    def _looked_up(self) -> int:
        return sum(paging.slice.position.looked_up for paging in self._pagings)

    @property
    def _share(self) -> float:
        """How much of the window's time is looked up; how many events the rest has, nobody knows."""
        return sum((paging.slice.passed for paging in self._pagings), timedelta()) / self._window.length

    def _finish_part(self, paging: _Paging) -> None:
        """Stage the part in the making, and keep how far the slice has come by that."""
        first, behind = paging.kept.pages, paging.slice.position.pages
        if paging.builder.events:
            name = paging.page_name(first)
            paging.parts.append(self._staging.write_part(self._window, self.id, name, paging.builder))
            paging.builder = PartBuilder()
        if len(self._pagings) == 1 and paging.slice.is_done:
            paging.kept = paging.slice.position
            return  # the manifest comes next
        if paging.slice.is_done:
            record = msgspec.structs.replace(paging.record, position=paging.slice.position, is_done=True)
            self._staging.write_slice(self._window, self.id, record.name, record)
        with self._changed:
            paging.kept = paging.slice.position
            if len(paging.parts) >= PARTS_PER_SLICE and paging.slice.can_be_divided:
                self._pagings.append(_Paging.of(paging.slice.end_soon()))
        self._keep()
        if paging.has_kept_pages:
            self._drop_pages([paging.page_name(number) for number in range(first, behind)])
            paging.has_kept_pages = False

    def _drop_pages(self, names: list[str]) -> None:
        try:
            self._staging.drop_pages(self._window, self.id, names)
        except AccessDeniedError as error:
            log.debug("Pages stay in the bucket: %s", error)

    def _keep(self) -> None:
        """Keep what the slices are and how far they have come; of two threads the later state is kept last."""
        with self._keeping:
            with self._changed:
                record = _FetchRecord(
                    self.id,
                    self._attempts,
                    self._calls,
                    self._throttled,
                    tuple(paging.short_record for paging in self._pagings),
                )
            self._has_kept = True
            self._memory.keep(json.loads(msgspec.json.encode(record)))

    def _recall(self) -> None:
        """Take up what an earlier attempt has kept."""
        kept = self._memory.recall()
        if kept is None:
            return
        record = msgspec.convert(kept, _FetchRecord)
        try:
            pagings = list(self._recalled(record))
        except StagingError as error:
            log.warning("What an earlier attempt has staged is no longer there (%s): beginning anew.", error)
            return
        self.id = record.id
        self._has_kept = True
        self._attempts = record.attempts + 1
        self._calls, self._throttled = record.calls, record.throttled
        self._pagings = pagings
        self._left_behind = self._staging.pages(self._window, record.id)
        log.info(
            "Going on with %s where an earlier attempt ended: %d of %d slices are looked up, %d pages are kept.",
            self._window.name,
            sum(paging.slice.is_done for paging in pagings),
            len(pagings),
            len(self._left_behind),
        )

    def _recalled(self, record: _FetchRecord) -> Iterator[_Paging]:
        for each in record.slices:
            known = each
            if each.position is None:
                noted = self._staging.slice(self._window, record.id, each.name, _SliceRecord)
                known = noted or _SliceRecord(each.end, each.floor)
            position = known.position or Position.at(known.end)
            new = Slice(known.end, known.floor, position, is_done=known.is_done)
            if known.parts and not known.is_done:
                new.remember(map(staged_event, self._staging.lines(known.parts[-1])))
            yield _Paging(new, position, list(known.parts))

    def _manifest(self) -> Manifest:
        ordered = sorted(self._pagings, key=lambda paging: paging.slice.end, reverse=True)
        positions = [paging.slice.position for paging in ordered]
        window = self._window
        return Manifest(
            account=window.account,
            region=window.region,
            start=window.start,
            end=window.end,
            fetch=self.id,
            parts=tuple(part for paging in ordered for part in paging.parts),
            looked_up=self._looked_up,
            duplicates=sum(position.duplicates for position in positions),
            late=0,
            calls=self._calls,
            throttled=self._throttled,
            attempts=self._attempts,
            staged_at=datetime.now(UTC),
        )


class _Announced:
    """While it lasts, the others who use the region's quota know of this worker, and it of them."""

    def __init__(self, sharers: Sharers, name: str, pace: Pace) -> None:
        self._sharers = sharers
        self._name = f"{name}-{secrets.token_hex(3)}"
        self._pace = pace
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sharers", daemon=True)

    def __enter__(self) -> Self:
        self._announce()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._pace.contended.set()
        self._thread.join()
        try:
            self._sharers.leave(self._name)
        except LoaderError as error:
            log.debug("Others will take this worker for present a while longer: %s", error)

    def _run(self) -> None:
        while not self._is_over.wait(SECONDS_AT_LEAST):
            self._pace.contended.wait(SECONDS_BETWEEN_ANNOUNCEMENTS)
            self._pace.contended.clear()
            if not self._is_over.is_set():
                self._announce()

    def _announce(self) -> None:
        try:
            self._pace.share(self._sharers.announce(self._name))
        except LoaderError as error:
            log.warning("Who else looks up events of this region is not known: %s", error)
