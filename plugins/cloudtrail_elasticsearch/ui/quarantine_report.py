"""The quarantine as a report: events grouped by the cause of their rejection, each group with a remedy."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from cloudtrail_elasticsearch.core.encoding import codec, typed
from cloudtrail_elasticsearch.core.index.index_pattern import QUARANTINE_INDEX
from cloudtrail_elasticsearch.core.loading.quarantine import KeptEvent
from cloudtrail_elasticsearch.core.search.answers import Aggregation
from cloudtrail_elasticsearch.core.search.rejection_reasons import find_blamed_path
from cloudtrail_elasticsearch.core.search.server import SearchServer
from cloudtrail_elasticsearch.ui.reading import read_index

NEWEST: Final = 5_000
"""The number of entries that the report reads, newest first."""

EXAMPLES: Final = 20
OPEN_OBJECTS: Final = ("requestParameters.", "responseElements.", "additionalEventData.", "serviceEventDetails.")

_LISTED: Final = ("eventID", "kind", "reason", "index", "quarantinedAt")


TOO_LARGE_TO_KEEP: Final = "The event is too large for the quarantine; it is still staged."


@dataclass(slots=True)
class Group:
    """Entries with the same cause: the server's kind of error, the path named in the error, and the index."""

    kind: str
    path: str | None
    index: str
    reason: str
    """The server's error message for the newest entry."""
    newest: str
    events: int = 0
    ids: list[str] = field(default_factory=list)
    """The eventIDs of the newest entries, at most `EXAMPLES`."""

    @property
    def remedy(self) -> str:
        """How to fix the cause, in a few sentences."""
        if self.path is None:
            return (
                f"The error names no field. It states why {self.index} rejected these events. Fix the index or "
                f"its template, then replay. A line that is not JSON cannot be indexed, so it stays here."
            )
        return (
            f"The mapping of {self.index} does not accept the values of these events at {self.path}. Fix the "
            f"mapping and the template that it came from, or load into an index that the loader creates; then "
            f"replay."
        )

    @property
    def rule(self) -> str | None:
        """A rule that renames the rejected field; None if the error names no field inside the open objects."""
        if self.path is None or not self.path.startswith(OPEN_OBJECTS):
            return None
        name = self.path.rpartition(".")[2]
        return (
            f"rules:\n"
            f"  - name: {self.path.replace('.', '-')}-aside\n"
            f"    path: {codec.encode(self.path).decode()}\n"
            f"    why: The index {self.index} maps this path to another type.\n"
            f"    change: {{do: rename, to: {codec.encode(name + 'AsSent').decode()}}}\n"
            f"    examples: []\n"
        )


def count_entries(server: SearchServer) -> dict[str, int]:
    """Return the number of entries of each index pattern, largest first."""
    request = {"aggs": {"patterns": {"terms": {"field": "pattern", "size": 200}}}}
    found = read_index(server, QUARANTINE_INDEX).aggregate(request).get("patterns", Aggregation())
    return {str(bucket.key): bucket.doc_count for bucket in found.buckets}


def group_entries(server: SearchServer, pattern: str) -> list[Group]:
    """Return the newest entries of a pattern, grouped by cause; the most frequent cause first."""
    found: dict[tuple[str, str | None, str], Group] = {}
    for entry in _read_newest(server, pattern):
        path = find_blamed_path(entry["reason"])
        # Not the reason, because it quotes values, which differ from event to event.
        key = (entry["kind"], path, entry["index"])
        if key not in found:
            found[key] = Group(*key, reason=entry["reason"], newest=entry["quarantinedAt"])
        group = found[key]
        group.events += 1
        if len(group.ids) < EXAMPLES:
            group.ids.append(entry["eventID"])
    return sorted(found.values(), key=lambda group: -group.events)


def read_entry(server: SearchServer, pattern: str, identifier: str) -> dict[str, Any] | None:
    """Return one entry in full, with its event as text; None if it is no longer in quarantine."""
    request = {"size": 1, "query": {"ids": {"values": [f"{pattern}/{identifier}"]}}}
    found = read_index(server, QUARANTINE_INDEX).find(request, dict[str, Any])
    return _add_event_text(found[0].source) if found else None


def _add_event_text(source: dict[str, Any]) -> dict[str, Any]:
    """Return an entry with its event as text; an entry stores the event as text, gzipped, or not at all."""
    line = typed.convert(source, KeptEvent).line
    # The text replaces it.
    source.pop("eventGzip", None)
    text = line.decode("utf-8", "backslashreplace") if line is not None else TOO_LARGE_TO_KEEP
    return source | {"event": text}


def _read_newest(server: SearchServer, pattern: str) -> list[dict[str, str]]:
    request = {
        "size": NEWEST,
        "query": {"term": {"pattern": pattern}},
        "_source": _LISTED,
        "sort": [{"quarantinedAt": "desc"}],
    }
    found = read_index(server, QUARANTINE_INDEX).find(request, dict[str, Any])
    return [{name: str(hit.source.get(name, "")) for name in _LISTED} for hit in found]
