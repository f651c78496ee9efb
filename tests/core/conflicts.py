"""Events with both sides of a conflict that the catalogue knows."""

from __future__ import annotations

from typing import Any

from cloudtrail_elasticsearch.core.documents.catalogue import Conflict, catalogue
from cloudtrail_elasticsearch.core.documents.declared_fields import OPEN_OBJECTS


def at(path: str, value: Any) -> dict[str, Any]:
    """Return an object that holds the value at a dotted path."""
    for name in reversed(path.split(".")):
        value = {name: value}
    return value  # type: ignore[no-any-return]


def hard_conflicts() -> list[str]:
    """Return the paths below the open objects that are objects in some events and scalars in others."""
    return [
        path
        for path, conflict in catalogue().conflicts.items()
        if conflict is Conflict.HARD and path not in OPEN_OBJECTS
    ]


def conflicting(path: str) -> list[dict[str, Any]]:
    """Return records with a scalar, an object, a list of scalars and a list of both at the path."""
    values: list[Any] = [
        "text",
        "",
        7,
        True,
        "HIDDEN_DUE_TO_SECURITY_REASONS",
        ["a", "b"],
        {"name": "in an object", "value": "its own"},
        {"value": {"name": "deeper"}},
        [{"name": "first"}, "beside", ["nested"]],
    ]
    return [at(path, value) for value in values]
