"""The index template and the mapping of the events, for both engines."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from cloudtrail_elasticsearch.core.documents.declared_fields import OPEN_OBJECTS, Kind
from cloudtrail_elasticsearch.core.documents.events import content_id
from cloudtrail_elasticsearch.core.documents.schema import Node, Schema
from cloudtrail_elasticsearch.core.documents.texts import TEXTS
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.enrichment.fields import FIELDS
from cloudtrail_elasticsearch.core.errors import MappingError
from cloudtrail_elasticsearch.core.index.ecs_properties import (
    add_aliases,
    find_field,
    list_ecs_fields,
    nest_properties,
    put_field,
)
from cloudtrail_elasticsearch.core.index.fields import (
    caseless_field,
    flat_field,
    keyword_field,
    unstored_field,
    words_field,
)
from cloudtrail_elasticsearch.core.index.index_pattern import MANAGED_BY, IndexPattern
from cloudtrail_elasticsearch.core.search.sending_time import INGESTED
from cloudtrail_elasticsearch.core.search.server import Engine

TOTAL_FIELDS_LIMIT: Final = 5_000

SERVERS_FIELDS_LIMIT: Final = 1_000
"""The limit of fields in an index without this setting.

https://www.elastic.co/docs/reference/elasticsearch/index-settings/mapping-limit
"""

SORTED_BY: Final = ("eventSource", "eventName", "@timestamp")
"""The fields by which an index sorts its documents.

https://www.elastic.co/docs/reference/elasticsearch/index-settings/sorting
"""

NEVER_SORTED_BY: Final = frozenset({"eventID", "requestID"})
"""Fields that are only searched. Their values are random, so nobody sorts or aggregates by them (ADR-0031)."""

CASELESS: Final = ("additionalEventData.MFAUsed", "userAgent")
"""Fields that Sigma's rules compare in another case than CloudTrail writes (ADR-0027)."""

WORDS: Final = ("errorMessage",)
"""Fields with a sentence."""

PRIORITY: Final = 800
"""The priority of the events' templates: above the templates that people write for ``cloudtrail-*``.

All have the same priority, because their names are exact and do not overlap (ADR-0016). Earlier versions had
wildcards and priorities from 500 to 700.
"""


FIXED_MAPPINGS: Final = {
    # A new field in an event must not change the mapping (ADR-0001).
    "dynamic": False,
    "date_detection": False,
    "numeric_detection": False,
}
"""The members of the mapping that a ``@custom`` component cannot change (ADR-0029)."""


def make_event_template(
    pattern: IndexPattern, components: Iterable[str], meta: Mapping[str, Any], alias: str | None = None
) -> dict[str, Any]:
    """Return the index template of a pattern, with its undated index only; `EventTemplate` adds further names.

    :param components: the names of its component templates; a later one prevails
    :param meta: the ``_meta`` of the mapping
    """
    content: dict[str, Any] = {
        "priority": PRIORITY,
        "composed_of": list(components),
        # The template's own members prevail over those of its components.
        "template": {"mappings": {**FIXED_MAPPINGS, "_meta": meta}, **({"aliases": {alias: {}}} if alias else {})},
    }
    fingerprint = content_id(codec.canonical(content))[:23]
    own_meta = {"managed_by": MANAGED_BY, "fingerprint": fingerprint}
    return {"index_patterns": [pattern.undated], **content, "_meta": own_meta}


def make_event_settings(properties: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of the events' indices, by their flat names.

    They suit loads from the beginning, because a load changes no setting of an existing index (ADR-0014).

    :param properties: the fields of the index, from which its sort order follows
    """
    return {
        "index.mapping.total_fields.limit": TOTAL_FIELDS_LIMIT,
        "index.refresh_interval": "30s",
        "index.codec": "best_compression",
        "index.sort.field": list_sort_fields(properties),
    }


def make_event_mappings(schema: Schema, engine: Engine) -> dict[str, Any]:
    """Return the mapping of the events' documents: only declared fields are mapped (ADR-0001).

    Its ``_meta`` has the strategy, and a fingerprint that shows whether an index is up to date.

    :raises MappingError: more fields are declared than ``index.mapping.total_fields.limit`` allows
    """
    properties = {name: _make_property(node, engine) for name, node in schema.root.mapped.items()}
    for name in NEVER_SORTED_BY & properties.keys():
        if properties[name] == keyword_field():
            properties[name] = keyword_field() | {"doc_values": False}
    for paths, make_field in ((CASELESS, caseless_field), (WORDS, words_field)):
        for path in paths:
            # Under the flattened strategy, a path of an open object has no field.
            if find_field(properties, path) == keyword_field():
                put_field(properties, path, make_field())
    added: dict[str, dict[str, Any]] = {"source.ip": {"type": "ip"}, INGESTED: {"type": "date"}}
    properties |= {
        "@timestamp": {"type": "date"},
        **nest_properties(added | list_ecs_fields() if schema.ecs else added),
        "tags": keyword_field(),
        "overflow": flat_field(engine),
        "unindexed": {
            "properties": {
                "path": keyword_field(),
                "prefix": words_field(),
                "sha256": keyword_field(),
                # Only stored, for `restore`; searches use `sha256`.
                "json": {"type": "object", "enabled": False},
            }
        },
        "normalization": {
            # Changes are only stored, for `restore`; searches use the names of the rules.
            "properties": {"rules": keyword_field(), "changes": {"type": "object", "enabled": False}}
        },
    }
    if schema.texts:
        properties[TEXTS] = {"properties": {name: unstored_field(engine) for name in OPEN_OBJECTS}}
    if schema.ecs:
        # Also if enrichment is off: rules name these fields, and DAGs that differ share one mapping (ADR-0030).
        for name, kind in FIELDS.items():
            put_field(properties, name, {"type": kind})
        add_aliases(properties, engine)
    fields = _count_fields(properties)
    if fields > TOTAL_FIELDS_LIMIT:
        raise MappingError(
            f"{fields} fields are declared, more than index.mapping.total_fields.limit "
            f"({TOTAL_FIELDS_LIMIT}) allows. Shorten the fields file."
        )
    return {
        **FIXED_MAPPINGS,
        "properties": properties,
        # The texts repeat the event in another notation, so only their index is kept (ADR-0028).
        **({"_source": {"excludes": [TEXTS]}} if schema.texts else {}),
        "_meta": {
            "managed_by": MANAGED_BY,
            "strategy": schema.strategy,
            # Of the fields only: an index needs no update if anything else changes.
            "fingerprint": content_id(codec.canonical(properties))[:23],
        },
    }


def list_sort_fields(properties: Mapping[str, Any]) -> list[str]:
    """Return the fields that sort an index: similar documents are stored together, so that they compress well."""
    return [name for name in SORTED_BY if properties.get(name, {}).get("type") in {"keyword", "date"}]


def _make_property(node: Node, engine: Engine) -> dict[str, Any]:
    match node.kind:
        case Kind.OBJECT:
            return {"properties": {name: _make_property(child, engine) for name, child in node.mapped.items()}}
        case Kind.FLAT:
            return flat_field(engine)
        case Kind.KEYWORD:
            return keyword_field()
        case Kind.BOOLEAN:
            return {"type": "boolean"}
        case Kind.DATE:
            return {"type": "date", "format": "strict_date_optional_time"}
        case Kind.NUMBER:
            return {"type": "double"}
        case Kind.UNMAPPED:
            raise AssertionError("an unmapped node has no field")


def _count_fields(properties: dict[str, Any]) -> int:
    """Return the number of fields in a mapping as the server counts them: objects and sub-fields count too."""
    below = (field.get("properties") or field.get("fields") or {} for field in properties.values())
    return len(properties) + sum(map(_count_fields, below))
