"""Events with both sides of a conflict that the catalogue knows."""

from __future__ import annotations

from typing import Any

from cloudtrail_elasticsearch.core.catalogue import Conflict, catalogue
from cloudtrail_elasticsearch.core.shape import OPEN_OBJECTS


def at(path: str, value: Any) -> dict[str, Any]:
    """An object that holds the value at a dotted path."""
    for name in reversed(path.split(".")):
        value = {name: value}
    return value  # type: ignore[no-any-return]


def hard_conflicts() -> list[str]:
    """The paths below the open objects that are an object here and a scalar there."""
    return [
        path
        for path, conflict in catalogue().conflicts.items()
        if conflict is Conflict.HARD and path not in OPEN_OBJECTS
    ]


def conflicting(path: str) -> list[dict[str, Any]]:
    """Records with a scalar, an object, and lists of scalars and of both at the path."""
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
