"""The settings of an index that ``query_latency`` compares: order of documents, codec and index mode."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from cloudtrail_elasticsearch.core.index.event_template import SORTED_BY
from cloudtrail_elasticsearch.core.search.server import Engine


@dataclass(frozen=True, slots=True)
class Alternative:
    """Settings that prevail over the loader's, as those of a ``@custom`` component do."""

    name: str
    meaning: str
    settings: dict[str, Any] = field(default_factory=dict)
    engines: tuple[Engine, ...] = ("opensearch", "elasticsearch")


LOADERS: Final = Alternative("loader", "the loader's settings: sorted by service, call and time; best_compression")

_TIME_FIRST: Final = {
    "index.sort.field": ["@timestamp", "eventSource", "eventName"],
    "index.sort.order": ["desc", "asc", "asc"],
}
_LOGSDB: Final = {
    "index.mode": "logsdb",
    # A synthesized source has values in another order and form, so events could not be restored.
    "index.mapping.source.mode": "stored",
    # Without these names, the mode would sort by a `host.name` that it adds to the mapping.
    "index.sort.field": list(SORTED_BY),
    # By default, the mode indexes events without long values and without values that do not fit their field.
    "index.mapping.ignore_malformed": False,
    "index.mapping.ignore_above": 2**31 - 1,
}
"""https://www.elastic.co/docs/manage-data/data-store/data-streams/logs-data-stream-configure"""

ALTERNATIVES: Final = (
    LOADERS,
    Alternative("time-first", "sorted by time, the newest first", _TIME_FIRST),
    Alternative("unsorted", "not sorted", {"index.sort.field": [], "index.sort.order": []}),
    Alternative("default-codec", "the default codec (LZ4)", {"index.codec": "default"}),
    Alternative("logsdb", "index mode logsdb with a stored source", _LOGSDB, ("elasticsearch",)),
    Alternative(
        "logsdb-time-first",
        "index mode logsdb with a stored source, sorted by time, the newest first",
        _LOGSDB | _TIME_FIRST,
        ("elasticsearch",),
    ),
)
