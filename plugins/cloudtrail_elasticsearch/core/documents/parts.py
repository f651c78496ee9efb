"""The two parts of a value: one for the declared fields, the rest for ``overflow``."""

from __future__ import annotations

import enum
from typing import Final, TypeAlias

from cloudtrail_elasticsearch.core.encoding.codec import Json


class Missing(enum.Enum):
    """The type of `MISSING`."""

    MISSING = enum.auto()


MISSING: Final = Missing.MISSING
"""Marks a part that does not exist; null is a value."""

Part: TypeAlias = Json | Missing
Parts: TypeAlias = tuple[Part, Part]
"""The declared part and the rest."""


def merge(kept: Json, rest: Json) -> Json:
    """Return the value that has these two parts; a part is null where the other one has the value."""
    if isinstance(kept, dict) and isinstance(rest, dict):
        both = {name: merge(kept[name], rest[name]) for name in kept.keys() & rest.keys()}
        return kept | rest | both
    if isinstance(kept, list) and isinstance(rest, list):
        # Both parts keep the length of the list, so elements at one position belong together (ADR-0002).
        return [merge(left, right) for left, right in zip(kept, rest, strict=True)]
    return rest if kept is None else kept
