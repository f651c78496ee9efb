"""A cache of the latest coverage tables; a table is read again only after the ledger has changed."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Final

from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.search.server import SearchServer
from cloudtrail_elasticsearch.ui import coverage_table

KEPT: Final = 8
"""The number of cached tables. A table of 34 regions by 365 days takes a quarter of a megabyte."""


class Tables:
    """Tables as JSON, by server, choice and version of the ledger; shared by all users, safe for threads."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, coverage_table.Choice, str], bytes] = OrderedDict()
        self._lock = Lock()

    def get(self, server: SearchServer, choice: coverage_table.Choice, version: str) -> bytes:
        """Return the table of a choice as JSON; `version` is `LedgerSummary.version`."""
        key = (server.name, choice, version)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        # Without the lock, so that one user's table does not block the others.
        found = codec.encode(coverage_table.read_table(server, choice))
        with self._lock:
            self._kept[key] = found
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return found
