"""The fields that enrichment adds to documents, under their ECS names.

https://www.elastic.co/docs/reference/ecs/ecs-geo
https://www.elastic.co/docs/reference/ecs/ecs-as
https://www.elastic.co/docs/reference/ecs/ecs-user_agent
https://www.elastic.co/docs/reference/ecs/ecs-cloud#field-cloud-account-name
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

FIELDS: Final = {
    "cloud.account.name": "keyword",
    "source.as.number": "long",
    "source.as.organization.name": "keyword",
    "source.geo.city_name": "keyword",
    "source.geo.continent_name": "keyword",
    "source.geo.country_iso_code": "keyword",
    "source.geo.country_name": "keyword",
    "source.geo.location": "geo_point",
    "source.geo.region_iso_code": "keyword",
    "source.geo.region_name": "keyword",
    "user_agent.device.name": "keyword",
    "user_agent.name": "keyword",
    "user_agent.os.full": "keyword",
    "user_agent.os.name": "keyword",
    "user_agent.os.version": "keyword",
    "user_agent.version": "keyword",
}
"""The type of each field, the same on all servers."""

_USER_AGENT: Final = "user_agent"

_GROUPS: Final = {
    "cloud.account.name": "cloud.account.name",
    "source.as": "source.as",
    "source.geo": "source.geo",
    **{f"{_USER_AGENT}.{name}": _USER_AGENT for name in ("device", "name", "os", "version")},
}
"""The paths of the fields, and the group of each: a document has the whole of a group, or nothing of it."""


def split_enrichment(document: Mapping[str, Any]) -> tuple[dict[str, Any], frozenset[str]]:
    """Return a document without the fields of enrichment, and the names of the groups that it has."""
    rest = dict(document)
    groups: set[str] = set()
    for path, group in _GROUPS.items():
        top, *names = path.split(".")
        left = _remove(rest.get(top), names)
        if left is None:
            continue
        groups.add(group)
        # An object with nothing but enrichment does not exist without it.
        if left:
            rest[top] = left
        else:
            del rest[top]
    return rest, frozenset(groups)


def _remove(value: Any, names: list[str]) -> dict[str, Any] | None:
    """Return an object without the value at a path, and without empty parents; None if it has no such value."""
    first, *others = names
    if not isinstance(value, dict) or first not in value:
        return None
    rest = {name: child for name, child in value.items() if name != first}
    if not others:
        return rest
    left = _remove(value[first], others)
    if left is None:
        return None
    return {**rest, first: left} if left else rest
