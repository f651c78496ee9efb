"""The properties of the Elastic Common Schema in the mapping of the events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cloudtrail_elasticsearch.core.documents import ecs_names
from cloudtrail_elasticsearch.core.documents.declared_fields import detection_fields
from cloudtrail_elasticsearch.core.index.fields import keyword_field
from cloudtrail_elasticsearch.core.search.server import Engine


def list_ecs_fields() -> dict[str, dict[str, Any]]:
    """Return the fields, by path, that documents fill, and those that only have to exist."""
    fields = {name: keyword_field() for name in (*ecs_names.KEYWORDS, *ecs_names.EMPTY)}
    fields |= {name: keyword_field() for name in ecs_names.COPIES}
    fields |= {name: {"type": "boolean"} for name in ecs_names.BOOLEANS}
    # Never charted: it only answers whether an entity occurs in an event.
    fields[ecs_names.RELATED_ENTITY] = keyword_field() | {"doc_values": False}
    return fields


def add_aliases(properties: dict[str, Any], engine: Engine) -> None:
    """Add the aliases of all fields that the properties have, and let fields index the values of others."""
    for target, paths in ecs_names.COPIES.items():
        for path in paths:
            if (field := find_field(properties, path)) is not None:
                field["copy_to"] = [*field.get("copy_to", ()), target]
    for name, path in list_aliases(engine).items():
        # An alias of a field that does not exist makes the server reject the whole mapping.
        if find_field(properties, path) is not None:
            put_field(properties, name, {"type": "alias", "path": path})


def list_aliases(engine: Engine) -> Mapping[str, str]:
    """Return the names that are aliases, and for each the path of its field.

    If an open object is a flat field, Elastic's name is an alias of the whole object. Otherwise only the paths
    that rules read have aliases: an alias for each path would exceed the limit of fields.
    """
    flattened = {name: path for path, name in ecs_names.FLATTENED.items()}
    for path in sorted(detection_fields()):
        top, _, below = path.partition(".")
        flattened[f"{ecs_names.FLATTENED[top]}.{below}"] = path
    texts = {f"{name}.text" if engine == "opensearch" else name: path for name, path in ecs_names.TEXTS.items()}
    # Security Analytics exists for OpenSearch only, and has names below names that Elastic's integration fills.
    return ecs_names.ALIASES | flattened | texts | (ecs_names.SECURITY_ANALYTICS if engine == "opensearch" else {})


def nest_properties(fields: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the properties of these fields, given by path."""
    properties: dict[str, Any] = {}
    for path, field in fields.items():
        put_field(properties, path, field)
    return properties


def put_field(properties: dict[str, Any], path: str, field: Mapping[str, Any]) -> None:
    """Add a field at a path; its parents become objects."""
    *parents, leaf = path.split(".")
    for name in parents:
        properties = properties.setdefault(name, {"properties": {}})["properties"]
    properties[leaf] = field


def find_field(properties: Mapping[str, Any], path: str) -> dict[str, Any] | None:
    """Return the field or the sub-field at a path; None if the path has none."""
    *parents, leaf = path.split(".")
    for name in parents:
        found = properties.get(name, {})
        properties = found.get("properties") or found.get("fields") or {}
    field: dict[str, Any] | None = properties.get(leaf)
    return None if field is None or "properties" in field else field
