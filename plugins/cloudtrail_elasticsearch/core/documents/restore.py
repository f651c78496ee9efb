"""From a document back to its event."""

from __future__ import annotations

from copy import deepcopy
from typing import Any, Final

from cloudtrail_elasticsearch.core.documents import ecs_names
from cloudtrail_elasticsearch.core.documents.changes import undo
from cloudtrail_elasticsearch.core.documents.parts import merge
from cloudtrail_elasticsearch.core.documents.texts import TEXTS
from cloudtrail_elasticsearch.core.documents.unindexed import Aside, read_asides
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.encoding.codec import Json, Verbatim

DERIVED: Final = frozenset(
    {"@timestamp", "lookup", "overflow", "unindexed", "normalization", "tags", TEXTS, *ecs_names.WRITTEN}
)
"""Top-level names that the loader adds; an event's own values under these names go to ``overflow``.

Documents of version 0.1 have ``lookup``, the fields that LookupEvents adds (ADR-0019).
"""


def restore(source: dict[str, Any]) -> dict[str, Any] | Verbatim:
    """Return the event that a document was made from, without the values that rules masked or dropped.

    An event with repeated names is returned as its JSON text, the earlier values first.
    """
    asides = read_asides(source)
    event = _restore_last(source, [aside for aside in asides if not aside.is_earlier])
    earlier = [aside for aside in asides if aside.is_earlier]
    if not earlier or isinstance(event, Verbatim):
        return event
    # Written as text, because no dictionary can hold a name twice.
    objects = [*({aside.at[0]: aside.value} for aside in earlier), event]
    members = [codec.encode(each).decode()[1:-1] for each in objects if each]
    return Verbatim(f"{{{','.join(members)}}}")


def _restore_last(source: dict[str, Any], asides: list[Aside]) -> dict[str, Any] | Verbatim:
    """Return the event with the last value of each name."""
    kept = {name: value for name, value in source.items() if name not in DERIVED}
    # A copy, because undoing changes it in place.
    event: Any = deepcopy(merge(kept, source.get("overflow", {})))
    # Outer values first: an entry may belong inside the value of another.
    for aside in sorted(asides, key=lambda aside: len(aside.at)):
        if aside.at:
            _put(event, aside.at, aside.value)
        elif isinstance(aside.value, Verbatim):
            return aside.value
        else:
            event = merge(event, aside.value)
    # A change can be inside the value that an earlier one made, so the last one is undone first.
    for change in reversed(source.get("normalization", {}).get("changes", ())):
        undo(event, change["at"], change["do"], change)
    restored: dict[str, Any] = event
    return restored


def _put(value: Any, path: list[str | int], new: Json) -> None:
    *parents, last = path
    for step in parents:
        value = value[step]
    value[last] = new
