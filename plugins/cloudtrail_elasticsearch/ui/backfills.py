"""A backfill of chosen cells, or a replay: the command for a shell, and the request for Airflow's public API."""

from __future__ import annotations

import shlex
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from cloudtrail_elasticsearch import airflows
from cloudtrail_elasticsearch.airflows import Reprocess
from cloudtrail_elasticsearch.core.coverage import State
from cloudtrail_elasticsearch.core.mapping import DEFAULT_INDEX

_FAILED: Final = frozenset({State.FAILED, State.MISSING, State.LOADING})


@dataclass(frozen=True, slots=True)
class Backfill:
    """Days, the last one included, and regions to load, and which of the days' runs to make again."""

    dag_id: str
    first: date
    last: date
    regions: tuple[str, ...]
    pattern: str
    reprocess: Reprocess

    @property
    def conf(self) -> dict[str, Any]:
        """The runs' params."""
        index = {} if self.pattern == DEFAULT_INDEX else {"index": self.pattern}
        return {"regions": sorted(self.regions), **index}

    @property
    def command(self) -> str:
        """The command, as a shell takes it."""
        return airflows.backfill_command(*self._asked)

    @property
    def request(self) -> dict[str, Any] | None:
        """What to POST to Airflow's API, as path and body; None where it knows no backfills."""
        return airflows.backfill_request(*self._asked)

    @property
    def _asked(self) -> tuple[str, str, str, Reprocess, dict[str, Any]]:
        return self.dag_id, self.first.isoformat(), self.last.isoformat(), self.reprocess, self.conf


@dataclass(frozen=True, slots=True)
class Replay:
    """A replay of what a pattern has in quarantine; the days and regions are those of its cells."""

    dag_id: str
    pattern: str
    days: list[str]
    regions: list[str]

    def command(self, server: str) -> str:
        """The command, for all that the pattern has, without Airflow."""
        return shlex.join(["cloudtrail-elasticsearch", "replay", "--url", server, "--index", self.pattern])

    @property
    def request(self) -> dict[str, Any] | None:
        """What to POST to Airflow's API, as path and body; None where the ledger has no such cells."""
        if not self.days:
            return None
        end = date.fromisoformat(self.days[-1]) + timedelta(days=1)
        conf = {
            "replay": True,
            "start": self.days[0],
            "end": end.isoformat(),
            "regions": self.regions,
            "index": self.pattern,
        }
        return airflows.trigger_request(self.dag_id, conf)


def reprocess(states: Collection[State | None]) -> Reprocess:
    """Return which runs have to be made again for cells of these states; None is a cell that was never planned.

    A run that failed has a cell that failed or is missing; a cell that is complete is in one that may have
    succeeded, and making it again costs a look at what is there.
    """
    known = {state for state in states if state is not None}
    if not known:
        return "none"
    return "failed" if known <= _FAILED else "completed"
