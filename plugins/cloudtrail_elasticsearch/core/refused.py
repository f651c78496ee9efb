"""The quarantine as people look at it: what is refused why, where, and what would mend it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.index_setup import SearchServer
from cloudtrail_elasticsearch.core.mapping import QUARANTINE_INDEX
from cloudtrail_elasticsearch.core.refusals import blamed_path
from cloudtrail_elasticsearch.core.send import MISSING_IS_EMPTY

NEWEST: Final = 5_000
"""So many entries are looked at, the newest first."""

EXAMPLES: Final = 20
OPEN_OBJECTS: Final = ("requestParameters.", "responseElements.", "additionalEventData.", "serviceEventDetails.")


@dataclass(slots=True)
class Group:
    """Entries that one cause keeps out: the server's kind of error, the path it blames, the index."""

    kind: str
    path: str | None
    index: str
    reason: str
    """The server's words for the newest of them."""
    newest: str
    events: int = 0
    ids: list[str] = field(default_factory=list)
    """The first of them, by eventID."""

    @property
    def remedy(self) -> str:
        """What would mend it, in a sentence."""
        if self.path is None:
            return (
                f"The server blames no field: its words say what {self.index} does not take. Mend the index, or "
                f"its template, then replay. A line that is no JSON stays here: nothing of it could be indexed."
            )
        return (
            f"The mapping of {self.index} does not take what these events have at {self.path}. Mend it there and "
            f"in the template it came from, or load into an index that the loader makes itself; then replay."
        )

    @property
    def rule(self) -> str | None:
        """A rule that moves the value out of the field's way; None where the field is none that rules reach."""
        if self.path is None or not self.path.startswith(OPEN_OBJECTS):
            return None
        name = self.path.rpartition(".")[2]
        return (
            f"rules:\n"
            f"  - name: {self.path.replace('.', '-')}-aside\n"
            f"    path: {codec.encode(self.path).decode()}\n"
            f"    why: The index {self.index} has another type there.\n"
            f"    change: {{do: rename, to: {codec.encode(name + 'AsSent').decode()}}}\n"
            f"    examples: []\n"
        )


def patterns(server: SearchServer) -> dict[str, int]:
    """Return how many entries each index pattern has, the most first."""
    request = {"size": 0, "aggs": {"patterns": {"terms": {"field": "pattern", "size": 200}}}}
    buckets = _ask(server, request).get("aggregations", {}).get("patterns", {}).get("buckets", [])
    return {bucket["key"]: bucket["doc_count"] for bucket in buckets}


def groups(server: SearchServer, pattern: str) -> list[Group]:
    """Return what the newest entries of a pattern are refused for, the most frequent cause first."""
    found: dict[tuple[str, str | None, str], Group] = {}
    for entry in _newest(server, pattern):
        path = blamed_path(entry["reason"])
        key = (entry["kind"], path, entry["index"])
        if key not in found:
            found[key] = Group(*key, reason=entry["reason"], newest=entry["quarantinedAt"])
        group = found[key]
        group.events += 1
        if len(group.ids) < EXAMPLES:
            group.ids.append(entry["eventID"])
    return sorted(found.values(), key=lambda group: -group.events)


def entry(server: SearchServer, pattern: str, identifier: str) -> dict[str, Any] | None:
    """Return one entry whole, the event as text; None where it is no longer there."""
    request = {"size": 1, "query": {"ids": {"values": [f"{pattern}/{identifier}"]}}}
    hits = _ask(server, request).get("hits", {}).get("hits", [])
    return hits[0]["_source"] if hits else None


def _newest(server: SearchServer, pattern: str) -> Iterator[dict[str, Any]]:
    request = {
        "size": NEWEST,
        "query": {"term": {"pattern": pattern}},
        "_source": ["eventID", "kind", "reason", "index", "quarantinedAt"],
        "sort": [{"quarantinedAt": "desc"}],
    }
    yield from (hit["_source"] for hit in _ask(server, request).get("hits", {}).get("hits", []))


def _ask(server: SearchServer, request: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = server.request(
        "POST", f"/{QUARANTINE_INDEX}/_search?{MISSING_IS_EMPTY}", codec.encode(request)
    )
    return found
