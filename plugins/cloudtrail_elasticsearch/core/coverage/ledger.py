"""The coverage ledger: a document for every cell, in an index beside the data.

See docs/adr/0010-the-ledger-is-an-index.md. It is long, because every document and request of that index is here.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
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
from cloudtrail_elasticsearch.core.search.answers import Bucket, Updated
from cloudtrail_elasticsearch.core.search.bulk import BulkItem
from cloudtrail_elasticsearch.core.search.reader import IndexReader
from cloudtrail_elasticsearch.core.search.sender import LoadSettings, Sender
from cloudtrail_elasticsearch.core.search.server import SearchServer

_CELLS_PER_PAGE: Final = 1_000
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
            # A list: an update would merge an object with the rules of an earlier load, but it replaces a list.
            "left_out_by": [{"rule": rule, "events": events} for rule, events in self.cell.left_out_rules],
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


@dataclass(frozen=True, slots=True)
class MissingCell:
    """A planned cell that was not loaded: the reason, and the task whose log has the details."""

    window: Window
    problem: str
    run: Run | None = None


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

    def record_missing(self, missing: Iterable[MissingCell]) -> None:
        """Record in one request that planned cells were not loaded.

        :raises RejectedRequestError: the server rejects one of the documents
        """
        state = {"state": State.MISSING}
        self._send_cells(
            (each.window, {**state, "problem": each.problem, **_describe_run(each.run)}, True) for each in missing
        )

    def record_verified(self, found: VerifiedCell) -> None:
        """Record a cell's figures, which were just verified on the server."""
        self._update(found.cell.window, found.content)

    def record_verified_all(self, found: Iterable[VerifiedCell]) -> None:
        """Record the figures of many cells in one request.

        Cells of a trail replace the ledger's documents. Those of LookupEvents keep their comparison with a trail.

        :raises RejectedRequestError: the server rejects one of the documents
        """
        self._send_cells(
            (each.cell.window, each.content, each.cell.window.source is not Source.TRAIL) for each in found
        )

    def record_account_names(self, names: Mapping[str, str]) -> None:
        """Record the names of accounts, by account id, in one request; they replace earlier names.

        They have documents of their own, the same for all index patterns. A query for cells must never find them,
        so that these documents have no `pattern`.

        :raises RejectedRequestError: the server rejects one of the documents
        """
        self._prepare()
        at = _format_time(datetime.now(UTC))
        items = [
            BulkItem(
                f"account|{account}",
                COVERAGE_INDEX,
                codec.encode({"account": account, "account_name": name, "updated_at": at}),
            )
            for account, name in names.items()
        ]
        self._send(items, "names of accounts")

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

    def find_newest_events(
        self, accounts: Collection[str], source: Source = Source.LOOKUP_EVENTS
    ) -> dict[tuple[str, str], datetime]:
        """Return the time of the newest event of each account and region; those without events are omitted."""
        wanted = [{"terms": {"account": sorted(accounts)}}, query_source(source)]
        newest = {"newest": {"max": {"field": "last_event"}}}
        found = {key: each.newest.value for key, each in self._read_regions(wanted, newest) if each.newest}
        # A region without events has no newest one.
        return {key: datetime.fromtimestamp(ms / 1000, UTC) for key, ms in found.items() if ms}

    def find_usual_events(
        self, first_day: date, source: Source = Source.LOOKUP_EVENTS
    ) -> dict[tuple[str, str], float]:
        """Return the mean number of events of a cell of each account and region, from a day on.

        Accounts and regions without a verified cell are omitted.
        """
        wanted = [{"range": {"day": {"gte": str(first_day)}}}, query_source(source)]
        usual = {"usual": {"avg": {"field": "looked_up"}}}
        return {
            key: bucket.usual.value
            for key, bucket in self._read_regions(wanted, usual)
            if bucket.usual is not None and bucket.usual.value is not None
        }

    def _read_regions(
        self, wanted: Sequence[dict[str, Any]], figures: dict[str, Any]
    ) -> Iterator[tuple[tuple[str, str], Bucket]]:
        """Yield figures of each account and region, over the cells that match all queries."""
        self._reader.refresh()
        query = {"bool": {"filter": [{"term": {"pattern": self._pattern}}, *wanted]}}
        for each in self._reader.group(query, ("account", "region"), _CELLS_PER_PAGE, figures=figures):
            yield (each.values["account"], each.values["region"]), each

    def _send_cells(self, cells: Iterable[tuple[Window, dict[str, Any], bool]]) -> None:
        """Store the members of cells; the third value is whether a cell keeps those that are not given."""
        self._prepare()
        items = [
            BulkItem(
                self._make_id(window),
                COVERAGE_INDEX,
                codec.encode(self._describe_window(window) | content),
                keeps_members=keeps_members,
            )
            for window, content, keeps_members in cells
        ]
        self._send(items, "cells")

    def _send(self, items: list[BulkItem], what: str) -> None:
        rejections = self._sender.send(items).rejections
        if rejections:
            why = safe_text(rejections[0].reason)
            raise RejectedRequestError(
                f"The search server rejected {len(rejections)} {what} of the ledger: {why}. Correct the index "
                f"{COVERAGE_INDEX}, then clear the task.",
                400,
            )

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
