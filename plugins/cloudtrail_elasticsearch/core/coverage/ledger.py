"""The coverage ledger: a document for every cell, in an index beside the data.

See docs/adr/0010-the-ledger-is-an-index.md.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from cloudtrail_elasticsearch.core.coverage.cells import Cell, State
from cloudtrail_elasticsearch.core.coverage.compare import Comparison
from cloudtrail_elasticsearch.core.coverage.proof import Proof
from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.encoding import codec, typed
from cloudtrail_elasticsearch.core.errors import RejectedRequestError
from cloudtrail_elasticsearch.core.figures import CallFigures
from cloudtrail_elasticsearch.core.index.index_pattern import COVERAGE_INDEX
from cloudtrail_elasticsearch.core.index.setup import prepare_ledger
from cloudtrail_elasticsearch.core.log_text import safe_text
from cloudtrail_elasticsearch.core.search.answers import Aggregation, Updated
from cloudtrail_elasticsearch.core.search.bulk import BulkItem
from cloudtrail_elasticsearch.core.search.reader import IndexReader
from cloudtrail_elasticsearch.core.search.sender import LoadSettings, Sender
from cloudtrail_elasticsearch.core.search.server import SearchServer

_CELLS_PER_PAGE: Final = 1_000
_REGIONS_AT_MOST: Final = 200
# A fixed name: XComs of earlier versions have it. It means that the ledger does not have the cell yet.
_UNRECORDED: Final = "unnoted"
# Documents and indices of version 0.1 lack the field.
_BY_SOURCE: Final = {"source": {"order": "asc", "missing": "_first", "unmapped_type": "keyword"}}


@dataclass(frozen=True, slots=True)
class Run:
    """The Airflow task that works on a cell: with it, the ledger leads to the task's log."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    attempt: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StagingDetails(CallFigures):
    """The calls, attempts and times of a cell's staging."""

    attempts: int
    first: datetime | None
    """The time of the oldest event."""
    last: datetime | None
    """The time of the newest event."""
    staged_at: datetime


@dataclass(frozen=True, slots=True)
class VerifiedCell:
    """A cell with verified figures, the details of its staging, and the task that verified it."""

    cell: Cell
    staged: StagingDetails
    run: Run | None
    at: datetime

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for an XCom: the cell's, and the rest under ``unnoted``; see `from_dict`."""
        rest = {"staged": self.staged, "run": self.run, "at": self.at}
        return self.cell.to_dict() | {_UNRECORDED: msgspec.to_builtins(rest)}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> VerifiedCell | None:
        """Return the cell of the values that `to_dict` returned; None if the ledger has it already."""
        if _UNRECORDED not in value:
            return None
        rest = value[_UNRECORDED]
        return cls(
            Cell.from_dict(value),
            typed.convert(rest["staged"], StagingDetails),
            typed.convert(rest["run"], Run | None),
            typed.convert(rest["at"], datetime),
        )

    @property
    def content(self) -> dict[str, Any]:
        """The members of the ledger's document that follow from the cell."""
        figures = asdict(self.cell)
        # `_describe_window` and `_describe_proof` have these members.
        del figures["window"], figures["proof"], figures["parts_problem"]
        staged, run = self.staged, self.run
        return {
            **figures,
            **_describe_proof(self.cell.proof),
            "state": self.cell.state,
            "problem": self.cell.problem,
            "calls": staged.calls,
            "throttled": staged.throttled,
            "attempts": {"fetch": staged.attempts, **({"load": run.attempt} if run else {})},
            "first_event": _format_time(staged.first),
            "last_event": _format_time(staged.last),
            "staged_at": _format_time(staged.staged_at),
            "verified_at": _format_time(self.at),
            **_describe_run(run),
        }


class Ledger:
    """One index pattern's part of the ledger."""

    def __init__(self, server: SearchServer, pattern: str, settings: LoadSettings | None = None) -> None:
        self._server = server
        self._sender = Sender(server, settings or LoadSettings())
        self._reader = IndexReader(self._sender.request, COVERAGE_INDEX)
        self._pattern = pattern
        self._is_prepared = False

    def record_loading(self, window: Window, run: Run | None) -> None:
        """Record that a task is loading a cell."""
        self._update(window, {"state": State.LOADING, "problem": None, **_describe_run(run)})

    def record_missing(self, window: Window, problem: str, run: Run | None = None) -> None:
        """Record that a planned cell was not loaded; the log of `run` has the reason."""
        self._update(window, {"state": State.MISSING, "problem": problem, **_describe_run(run)})

    def record_verified(self, found: VerifiedCell) -> None:
        """Record a cell's figures, which were just verified on the server."""
        self._update(found.cell.window, found.content)

    def record_verified_all(self, found: Iterable[VerifiedCell]) -> None:
        """Record the figures of many cells in one request; they replace the ledger's documents.

        :raises RejectedRequestError: the server rejects one of the documents
        """
        self._prepare()
        items = [
            BulkItem(
                self._make_id(each.cell.window),
                COVERAGE_INDEX,
                codec.encode(self._describe_window(each.cell.window) | each.content),
            )
            for each in found
        ]
        rejections = self._sender.send(items).rejections
        if rejections:
            why = safe_text(rejections[0].reason)
            raise RejectedRequestError(
                f"The search server rejected {len(rejections)} cells of the ledger: {why}. Correct the index "
                f"{COVERAGE_INDEX}, then clear the task.",
                400,
            )

    def record_comparison(self, window: Window, comparison: Comparison) -> None:
        """Record in the cell of a LookupEvents window how a trail differs from it; it replaces an earlier one."""
        self._update(window, {"comparison": comparison.to_dict()})

    def read_cells(self, query: dict[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """Yield the ledger's documents of the pattern, sorted by day, region, account and source.

        :param query: only documents that match this query
        """
        wanted = [{"term": {"pattern": self._pattern}}, *([query] if query else [])]
        request: dict[str, Any] = {
            "size": _CELLS_PER_PAGE,
            "query": {"bool": {"filter": wanted}},
            # Together unique for a window, so that no page repeats or skips one.
            "sort": ["start", "region", "account", "end", _BY_SOURCE],
        }
        # Searches must find cells that other tasks have just recorded.
        self._reader.refresh()
        while hits := self._reader.find(request, dict[str, Any]):
            yield from (hit.source for hit in hits)
            request["search_after"] = hits[-1].sort

    def find_newest_events(self, account: str, source: Source = Source.LOOKUP_EVENTS) -> dict[str, datetime]:
        """Return the time of the newest event of each region of an account; regions without events are omitted."""
        wanted = [{"term": {"pattern": self._pattern}}, {"term": {"account": account}}, query_source(source)]
        newest = {"newest": {"max": {"field": "last_event"}}}
        request = {
            "query": {"bool": {"filter": wanted}},
            "aggs": {"regions": {"terms": {"field": "region", "size": _REGIONS_AT_MOST}, "aggs": newest}},
        }
        self._reader.refresh()
        regions = self._reader.aggregate(request).get("regions", Aggregation()).buckets
        found = {str(bucket.key): bucket.newest.value for bucket in regions if bucket.newest is not None}
        # A region without events has no newest one.
        return {region: datetime.fromtimestamp(ms / 1000, UTC) for region, ms in found.items() if ms}

    def _update(self, window: Window, content: dict[str, Any]) -> None:
        self._prepare()
        # The id has the index pattern, whose % and | are not allowed in a path.
        identifier = urllib.parse.quote(self._make_id(window), safe="")
        # An update keeps members that this task does not know. Two tasks may update one cell at the same time.
        path = f"/{COVERAGE_INDEX}/_update/{identifier}?retry_on_conflict=5"
        document = self._describe_window(window) | content
        self._sender.request(Updated, "POST", path, codec.encode({"doc": document, "doc_as_upsert": True}))

    def _prepare(self) -> None:
        if not self._is_prepared:
            # Once for each ledger, because it costs a request.
            self._sender.retry(lambda: prepare_ledger(self._server))
            self._is_prepared = True

    def _describe_window(self, window: Window) -> dict[str, Any]:
        return {
            "account": window.account,
            "region": window.region,
            "day": f"{window.start:%Y-%m-%d}",
            "start": _format_time(window.start),
            "end": _format_time(window.end),
            "source": window.source.value,
            "pattern": self._pattern,
            "updated_at": _format_time(datetime.now(UTC)),
        }

    def _make_id(self, window: Window) -> str:
        times = f"{window.start:%Y%m%dT%H%M%S}|{window.end:%Y%m%dT%H%M%S}"
        # The ids of version 0.1 name no source. No index name has a |, so the ids of two sources always differ.
        source = "" if window.source is Source.LOOKUP_EVENTS else f"|{window.source}"
        return f"{window.account}|{window.region}|{times}|{self._pattern}{source}".replace(" ", "|")


def query_source(source: Source) -> dict[str, Any]:
    """Return the query for the ledger's documents of a source; those of version 0.1 name none."""
    if source is Source.LOOKUP_EVENTS:
        others = [each.value for each in Source if each is not source]
        return {"bool": {"must_not": [{"terms": {"source": others}}]}}
    return {"term": {"source": source.value}}


def _describe_proof(proof: Proof | None) -> dict[str, Any]:
    if proof is None:
        return {}
    return {
        "proof": proof.status,
        "findings": [asdict(finding) for finding in proof.findings],
        "findings_total": proof.findings_total,
    }


def _describe_run(run: Run | None) -> dict[str, Any]:
    if run is None:
        return {}
    named = asdict(run)
    del named["attempt"]
    return {"run": named}


def _format_time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat().replace("+00:00", "Z")
