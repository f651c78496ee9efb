"""The backfill of chosen cells, or a replay: the shell command, and the request to Airflow's public API."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from cloudtrail_elasticsearch import airflows
from cloudtrail_elasticsearch.airflows import Reprocess
from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.index.index_pattern import DEFAULT_INDEX

DAG_ID: Final = "cloudtrail_to_elasticsearch"
"""Users who may read this DAG may see the pages; users who may trigger it may start backfills and replays."""

DAG_IDS: Final = {
    Source.LOOKUP_EVENTS: DAG_ID,
    Source.LOOKUP_INSIGHTS: DAG_ID,
    Source.TRAIL: "cloudtrail_trail_to_elasticsearch",
}
"""The DAG that loads the cells of each source."""


@dataclass(frozen=True, slots=True)
class Backfill:
    """The days (both included), accounts and regions to load, and which existing runs to run again."""

    source: Source
    first: date
    last: date
    accounts: tuple[str, ...]
    """Always named: the DAG's own choice of accounts can be another one."""
    regions: tuple[str, ...]
    """Empty: the regions that the DAG loads."""
    pattern: str
    reprocess: Reprocess

    @property
    def conf(self) -> dict[str, Any]:
        """The runs' params."""
        # The default is left out, so that the usual command is short.
        index = {} if self.pattern == DEFAULT_INDEX else {"index": self.pattern}
        regions = {"regions": sorted(self.regions)} if self.regions else {}
        return {"accounts": sorted(self.accounts), **regions, **_name_category(self.source), **index}

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
        return DAG_IDS[self.source], self.first.isoformat(), self.last.isoformat(), self.reprocess, self.conf


@dataclass(frozen=True, slots=True)
class Replay:
    """A replay of a pattern's quarantined events of one source, in the days, accounts and regions of its cells."""

    source: Source
    pattern: str
    days: list[str]
    regions: list[str]
    accounts: list[str]

    @property
    def request(self) -> dict[str, Any]:
        """The path and body to POST to Airflow's API."""
        # The param `end` is the first day that is not loaded.
        end = date.fromisoformat(self.days[-1]) + timedelta(days=1)
        conf = {
            "replay": True,
            "start": self.days[0],
            "end": end.isoformat(),
            "accounts": self.accounts,
            "regions": self.regions,
            "index": self.pattern,
            **_name_category(self.source),
        }
        return airflows.trigger_request(DAG_IDS[self.source], conf)


def _name_category(source: Source) -> dict[str, list[str]]:
    """Return the param that chooses the category of events, if it is not the DAG's default."""
    return {"categories": ["insight"]} if source is Source.LOOKUP_INSIGHTS else {}


def make_replay_command(server: str, pattern: str) -> str:
    """Return the shell command that replays all of a pattern's quarantined events without Airflow."""
    return shlex.join(["cloudtrail-elasticsearch", "replay", "--url", server, "--index", pattern])
