"""The backfill of chosen cells, or a replay: the shell command, and the request to Airflow's public API."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from cloudtrail_elasticsearch import airflows
from cloudtrail_elasticsearch.airflows import Reprocess
from cloudtrail_elasticsearch.core.coverage.cells import State
from cloudtrail_elasticsearch.core.index.index_pattern import DEFAULT_INDEX

_FAILED: Final = frozenset({State.FAILED, State.MISSING, State.LOADING})


@dataclass(frozen=True, slots=True)
class Backfill:
    """The days (both included) and regions to load, and which existing runs to run again."""

    dag_id: str
    first: date
    last: date
    regions: tuple[str, ...]
    pattern: str
    reprocess: Reprocess
    accounts: tuple[str, ...] = ()
    """The accounts to load from a trail; LookupEvents returns the events of one account only."""

    @property
    def conf(self) -> dict[str, Any]:
        """The runs' params."""
        # The default is left out, so that the usual command is short.
        index = {} if self.pattern == DEFAULT_INDEX else {"index": self.pattern}
        accounts = {"accounts": sorted(self.accounts)} if self.accounts else {}
        return {**accounts, "regions": sorted(self.regions), **index}

    @property
    def command(self) -> str:
        """The command, quoted for a shell."""
        return airflows.backfill_command(*self._arguments)

    @property
    def request(self) -> dict[str, Any] | None:
        """The path and body to POST to Airflow's API; None if this Airflow has no API for backfills."""
        return airflows.backfill_request(*self._arguments)

    @property
    def _arguments(self) -> tuple[str, str, str, Reprocess, dict[str, Any]]:
        return self.dag_id, self.first.isoformat(), self.last.isoformat(), self.reprocess, self.conf


@dataclass(frozen=True, slots=True)
class Replay:
    """A replay of an index pattern's quarantined events of one source, in the days and regions of its cells."""

    dag_id: str
    pattern: str
    days: list[str]
    regions: list[str]
    accounts: tuple[str, ...] = ()
    """The accounts of a trail's cells; LookupEvents returns the events of one account only."""

    @property
    def request(self) -> dict[str, Any]:
        """The path and body to POST to Airflow's API."""
        # The param `end` is the first day that is not loaded.
        end = date.fromisoformat(self.days[-1]) + timedelta(days=1)
        conf = {
            "replay": True,
            "start": self.days[0],
            "end": end.isoformat(),
            "regions": self.regions,
            "index": self.pattern,
            **({"accounts": list(self.accounts)} if self.accounts else {}),
        }
        return airflows.trigger_request(self.dag_id, conf)


def make_replay_command(server: str, pattern: str) -> str:
    """Return the shell command that replays all of a pattern's quarantined events without Airflow."""
    return shlex.join(["cloudtrail-elasticsearch", "replay", "--url", server, "--index", pattern])


def choose_reprocess(states: Collection[State | None]) -> Reprocess:
    """Return which existing runs must run again to load cells of these states; None: a cell never planned.

    A cell that failed or is missing belongs to a run that failed. A complete cell may belong to a run that
    succeeded, so runs of both kinds are repeated; a cell that is already complete costs little then.
    """
    known = {state for state in states if state is not None}
    if not known:
        return "none"
    # `completed` includes the failed runs.
    return "failed" if known <= _FAILED else "completed"
