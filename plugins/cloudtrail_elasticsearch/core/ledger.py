"""The coverage ledger: a document for every cell, in an index beside the data."""

from __future__ import annotations

import urllib.parse
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

import msgspec

from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.bulk import BulkItem
from cloudtrail_elasticsearch.core.coverage import Cell, State
from cloudtrail_elasticsearch.core.errors import RefusedError
from cloudtrail_elasticsearch.core.index_setup import SearchServer, prepare_ledger
from cloudtrail_elasticsearch.core.mapping import COVERAGE_INDEX
from cloudtrail_elasticsearch.core.send import MISSING_IS_EMPTY, LoadSettings, Sender
from cloudtrail_elasticsearch.core.windows import Window

_CELLS_PER_PAGE: Final = 1_000
_REGIONS_AT_MOST: Final = 200
_UNNOTED: Final = "unnoted"


@dataclass(frozen=True, slots=True)
class Run:
    """The task of Airflow's that works on a cell, so that its log is found from the ledger."""

    dag_id: str
    run_id: str
    task_id: str
    map_index: int
    attempt: int


@dataclass(frozen=True, slots=True)
class Staged:
    """What the ledger says of a cell's staging."""

    attempts: int
    calls: int
    throttled: int
    first: datetime | None
    last: datetime | None
    staged_at: datetime


@dataclass(frozen=True, slots=True)
class Verified:
    """A cell's figures, how it was staged, and the task that has found them."""

    cell: Cell
    staged: Staged
    run: Run | None
    at: datetime

    def to_dict(self) -> dict[str, Any]:
        """Plain values for an XCom: the cell's, and the rest under ``unnoted``; `from_dict` reads them back."""
        rest = {"staged": self.staged, "run": self.run, "at": self.at}
        return self.cell.to_dict() | {_UNNOTED: msgspec.to_builtins(rest)}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Verified | None:
        """Read what `to_dict` wrote; None where the cell was noted already."""
        if _UNNOTED not in value:
            return None
        rest = value[_UNNOTED]
        return cls(
            Cell.from_dict(value),
            msgspec.convert(rest["staged"], Staged),
            msgspec.convert(rest["run"], Run | None),
            msgspec.convert(rest["at"], datetime),
        )

    @property
    def content(self) -> dict[str, Any]:
        """What the ledger says of it."""
        figures = asdict(self.cell)
        del figures["window"]
        staged, run = self.staged, self.run
        return {
            **figures,
            "state": self.cell.state,
            "problem": self.cell.problem,
            "calls": staged.calls,
            "throttled": staged.throttled,
            "attempts": {"fetch": staged.attempts, **({"load": run.attempt} if run else {})},
            "first_event": _text(staged.first),
            "last_event": _text(staged.last),
            "staged_at": _text(staged.staged_at),
            "verified_at": _text(self.at),
            **_run(run),
        }


class Ledger:
    """One index pattern's part of the ledger."""

    def __init__(self, server: SearchServer, pattern: str, settings: LoadSettings | None = None) -> None:
        self._server = server
        self._sender = Sender(server, settings or LoadSettings())
        self._pattern = pattern
        self._is_prepared = False

    def loading(self, window: Window, run: Run | None) -> None:
        """Note that a cell is being loaded."""
        self._update(window, {"state": State.LOADING, "problem": None, **_run(run)})

    def missing(self, window: Window, problem: str, run: Run | None = None) -> None:
        """Note that nothing came of a cell that was planned; `run` is the task whose log says why."""
        self._update(window, {"state": State.MISSING, "problem": problem, **_run(run)})

    def verified(self, found: Verified) -> None:
        """Note a cell's figures, as the server was just asked for them."""
        self._update(found.cell.window, found.content)

    def verified_all(self, found: Iterable[Verified]) -> None:
        """Note many cells' figures at once, instead of whatever the ledger has of them.

        :raises RefusedError: the server will not take one
        """
        self._prepare()
        items = [
            BulkItem(
                self._name(each.cell.window),
                COVERAGE_INDEX,
                codec.encode(self._cell(each.cell.window) | each.content),
            )
            for each in found
        ]
        refused = self._sender.send(items).refused
        if refused:
            raise RefusedError(f"The search server refuses {len(refused)} cells: {refused[0].reason}.", 400)

    def cells(self, query: dict[str, Any] | None = None) -> Iterator[dict[str, Any]]:
        """Yield the ledger's documents of the pattern, by day and region; those that a query is for."""
        wanted = [{"term": {"pattern": self._pattern}}, *([query] if query else [])]
        request: dict[str, Any] = {
            "size": _CELLS_PER_PAGE,
            "query": {"bool": {"filter": wanted}},
            "sort": ["start", "region", "account", "end"],
        }
        path = self._search()
        while hits := self._sender.ask("POST", path, codec.encode(request))["hits"]["hits"]:
            yield from (hit["_source"] for hit in hits)
            request["search_after"] = hits[-1]["sort"]

    def newest(self, account: str) -> dict[str, datetime]:
        """Return when the newest event of each of an account's regions happened, where it has any."""
        wanted = [{"term": {"pattern": self._pattern}}, {"term": {"account": account}}]
        newest = {"newest": {"max": {"field": "last_event"}}}
        request = {
            "size": 0,
            "query": {"bool": {"filter": wanted}},
            "aggs": {"regions": {"terms": {"field": "region", "size": _REGIONS_AT_MOST}, "aggs": newest}},
        }
        answer = self._sender.ask("POST", self._search(), codec.encode(request))
        buckets = answer.get("aggregations", {}).get("regions", {}).get("buckets", [])
        found = {bucket["key"]: bucket["newest"]["value"] for bucket in buckets}
        return {region: datetime.fromtimestamp(ms / 1000, UTC) for region, ms in found.items() if ms}

    def _search(self) -> str:
        self._sender.ask("POST", f"/{COVERAGE_INDEX}/_refresh?{MISSING_IS_EMPTY}")
        return f"/{COVERAGE_INDEX}/_search?{MISSING_IS_EMPTY}"

    def _update(self, window: Window, content: dict[str, Any]) -> None:
        self._prepare()
        identifier = urllib.parse.quote(self._name(window), safe="")
        path = f"/{COVERAGE_INDEX}/_update/{identifier}?retry_on_conflict=5"
        document = self._cell(window) | content
        self._sender.ask("POST", path, codec.encode({"doc": document, "doc_as_upsert": True}))

    def _prepare(self) -> None:
        if not self._is_prepared:
            self._sender.patiently(lambda: prepare_ledger(self._server))
            self._is_prepared = True

    def _cell(self, window: Window) -> dict[str, Any]:
        return {
            "account": window.account,
            "region": window.region,
            "day": f"{window.start:%Y-%m-%d}",
            "start": _text(window.start),
            "end": _text(window.end),
            "pattern": self._pattern,
            "updated_at": _text(datetime.now(UTC)),
        }

    def _name(self, window: Window) -> str:
        times = f"{window.start:%Y%m%dT%H%M%S}|{window.end:%Y%m%dT%H%M%S}"
        return f"{window.account}|{window.region}|{times}|{self._pattern}".replace(" ", "|")


def _run(run: Run | None) -> dict[str, Any]:
    if run is None:
        return {}
    named = asdict(run)
    del named["attempt"]
    return {"run": named}


def _text(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat().replace("+00:00", "Z")
