"""The last tables that were read: one that is looked at again is read again only after a change of the ledger."""

from __future__ import annotations

from collections import OrderedDict
from threading import Lock
from typing import Final

from cloudtrail_elasticsearch.core import codec, overview
from cloudtrail_elasticsearch.core.index_setup import SearchServer

KEPT: Final = 8
"""Of a quarter of a megabyte each, where one has 34 regions by 365 days."""


class Tables:
    """Tables as JSON, by server, choice and version of the ledger; shared by all who look."""

    def __init__(self) -> None:
        self._kept: OrderedDict[tuple[str, overview.Choice, str], bytes] = OrderedDict()
        self._lock = Lock()

    def get(self, server: SearchServer, choice: overview.Choice, version: str) -> bytes:
        """Return the table of a choice as JSON; `version` is the ledger's, as it was told before."""
        key = (server.name, choice, version)
        with self._lock:
            if key in self._kept:
                self._kept.move_to_end(key)
                return self._kept[key]
        found = codec.encode(overview.table(server, choice))
        with self._lock:
            self._kept[key] = found
            while len(self._kept) > KEPT:
                self._kept.popitem(last=False)
        return found
