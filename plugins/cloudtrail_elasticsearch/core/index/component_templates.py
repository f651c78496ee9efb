"""The component templates of which a pattern's index template is composed.

``…@mappings`` and ``…@settings`` are the loader's. The ``@custom`` components are the user's: the loader creates
them empty, and never writes them again (docs/adr/0029-an-index-template-is-composed.md).
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import msgspec

from cloudtrail_elasticsearch.core.documents.events import content_id
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.errors import MappingError, RejectedRequestError
from cloudtrail_elasticsearch.core.index.index_pattern import MANAGED_BY, IndexPattern
from cloudtrail_elasticsearch.core.index.united_content import unite_mappings, unite_settings
from cloudtrail_elasticsearch.core.search.answers import send_request
from cloudtrail_elasticsearch.core.search.bulk import ERROR_FIELDS
from cloudtrail_elasticsearch.core.search.server import SearchServer

log = logging.getLogger(__name__)

COMMON_CUSTOM: Final = f"{MANAGED_BY}@custom"
"""The user's component for the indices of all patterns."""

FIELDS_LIMIT: Final = "index.mapping.total_fields.limit"

_PATH: Final = "/_component_template"
_EMPTY: Final = {
    "template": {},
    "_meta": {
        "description": "Your settings, mappings and aliases for new indices. The loader never changes them."
    },
}


@dataclass(frozen=True, slots=True)
class CustomContent:
    """The content of a pattern's ``@custom`` components, merged as the server merges them."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    """By their flat names."""
    mappings: Mapping[str, Any] = field(default_factory=dict)


class _Content(msgspec.Struct, frozen=True):
    settings: dict[str, Any] = {}
    mappings: dict[str, Any] = {}


class _Component(msgspec.Struct, frozen=True):
    template: _Content = _Content()
    meta: dict[str, Any] = msgspec.field(name="_meta", default={})


class _Entry(msgspec.Struct, frozen=True):
    name: str
    component_template: _Component = _Component()


class _Answer(msgspec.Struct, frozen=True):
    component_templates: list[_Entry] = []


def list_custom_names(pattern: IndexPattern) -> tuple[str, str]:
    """Return the names of a pattern's ``@custom`` components: the one of all patterns, then its own."""
    return COMMON_CUSTOM, f"{pattern.template}@custom"


def make_components(
    pattern: IndexPattern, settings: Mapping[str, Any], mappings: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Return the loader's own components of a pattern by name, in the order in which the server merges them."""
    # With the limit, because the server checks each component alone, too.
    limit = {name: value for name, value in settings.items() if name == FIELDS_LIMIT}
    return {
        f"{pattern.template}@mappings": _make_component({"settings": limit, "mappings": mappings}),
        f"{pattern.template}@settings": _make_component({"settings": dict(settings)}),
    }


def update_components(
    server: SearchServer, pattern: IndexPattern, wanted: Mapping[str, dict[str, Any]]
) -> dict[str, dict[str, Any]]:
    """Write those of the loader's components that differ, and create missing ``@custom`` components empty.

    Fields and settings that other DAGs have written for the pattern stay. If all components are up to date, this
    costs one small read.

    :returns: the loader's components as they are on the server
    :raises MappingError: the server rejects a component
    """
    # For all components: the server answers it with 200 even if it has none, so a 404 is a proxy's.
    fields = ("name", "component_template._meta")
    path = f"{_PATH}?filter_path={ERROR_FIELDS},{','.join(f'component_templates.{each}' for each in fields)}"
    answer = send_request(server, _Answer, "GET", path)
    found = {each.name: each.component_template.meta for each in answer.component_templates}
    customs = list_custom_names(pattern)
    for name in customs:
        if name not in found:
            _create_custom(server, name)
    current = dict(wanted)
    for name, content in wanted.items():
        if name not in found:
            _put_component(server, name, content, customs)
        elif found[name] != content["_meta"]:
            current[name] = _update_component(server, pattern, name, found[name], content)
    return current


def read_custom_content(server: SearchServer, pattern: IndexPattern) -> CustomContent:
    """Return the content of a pattern's ``@custom`` components; those of the pattern prevail."""
    settings: dict[str, Any] = {}
    mappings: dict[str, Any] = {}
    for name in list_custom_names(pattern):
        content = _read_component(server, name)
        settings |= flatten_settings(content.settings)
        mappings = merge_mappings(mappings, content.mappings)
    return CustomContent(settings, mappings)


def flatten_settings(settings: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return settings by their flat names, which begin with ``index.``."""
    flat: dict[str, Any] = {}
    for name, value in settings.items():
        path = f"{prefix}{name}"
        flat |= flatten_settings(value, f"{path}.") if isinstance(value, Mapping) else {path: value}
    return flat if prefix else {n if n.startswith("index.") else f"index.{n}": value for n, value in flat.items()}


def merge_mappings(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two mappings as the server does: fields of the upper one are added, or replace those of the lower one.

    Objects are merged field by field; any other field is replaced as a whole.
    """
    fields = _merge_fields(lower.get("properties", {}), _expand_names(upper.get("properties", {})))
    return {**lower, **upper, **({"properties": fields} if fields else {})}


def _merge_fields(lower: Mapping[str, Any], upper: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(lower)
    for name, given in upper.items():
        below = lower.get(name, {})
        merged[name] = given
        # An object need not list fields: it can change only the options of the lower one.
        if "properties" in below and given.get("type", "object") in {"object", "nested"}:
            inner = _merge_fields(below["properties"], given.get("properties", {}))
            merged[name] = {**below, **given, "properties": inner}
    return merged


def _expand_names(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return fields whose names have no dots: the server takes ``a.b`` for a field of the object ``a``."""
    expanded: dict[str, Any] = {}
    for name, given in fields.items():
        inner = {"properties": _expand_names(given["properties"])} if "properties" in given else {}
        *parents, leaf = name.split(".")
        field: dict[str, Any] = {leaf: {**given, **inner}}
        for parent in reversed(parents):
            field = {parent: {"properties": field}}
        expanded = _merge_fields(expanded, field)
    return expanded


def _make_component(template: dict[str, Any]) -> dict[str, Any]:
    fingerprint = content_id(codec.canonical(template))[:23]
    return {"template": template, "_meta": {"managed_by": MANAGED_BY, "fingerprint": fingerprint}}


def _update_component(
    server: SearchServer, pattern: IndexPattern, name: str, meta: Mapping[str, Any], wanted: dict[str, Any]
) -> dict[str, Any]:
    """Unite a component with the stored one, write the result if it differs, and return the stored content."""
    customs = list_custom_names(pattern)
    united = _unite_components(pattern, _read_component(server, name), wanted)
    if united["_meta"] == meta:
        return united
    try:
        _put_component(server, name, united, customs)
    except MappingError:
        # The fields of two versions, or of two fields files, can contradict each other.
        if united["_meta"] == wanted["_meta"]:
            raise
        log.warning(
            "The search server rejects the component template %s with the fields of this run beside those that "
            "another run wrote. It has only the fields of this run now. Give all DAGs of %s the same fields.",
            name,
            pattern.text,
        )
        _put_component(server, name, wanted, customs)
        return wanted
    return united


def _unite_components(pattern: IndexPattern, stored: _Content, wanted: Mapping[str, Any]) -> dict[str, Any]:
    template = wanted["template"]
    if "mappings" in template:
        return _make_component(
            {"settings": template["settings"], "mappings": unite_mappings(stored.mappings, template["mappings"])}
        )
    settings = unite_settings(pattern.text, flatten_settings(stored.settings), template["settings"])
    return _make_component({"settings": settings})


def _read_component(server: SearchServer, name: str) -> _Content:
    try:
        answer = send_request(server, _Answer, "GET", f"{_PATH}/{name}")
    except RejectedRequestError as error:
        if error.status != 404:
            raise
        return _Content()
    return next((each.component_template.template for each in answer.component_templates), _Content())


def _create_custom(server: SearchServer, name: str) -> None:
    try:
        # With `create`, which never overwrites one that the user puts at the same time.
        server.request("PUT", f"{_PATH}/{name}?create=true", codec.encode(_EMPTY))
    except RejectedRequestError as error:
        if "already exists" not in str(error):
            raise MappingError(f"The search server rejected the component template {name}: {error}") from error


def _put_component(server: SearchServer, name: str, content: Mapping[str, Any], customs: tuple[str, str]) -> None:
    try:
        server.request("PUT", f"{_PATH}/{name}", codec.encode(content))
    except RejectedRequestError as error:
        # The server checks the whole index template, so a component of the user can be the cause.
        raise MappingError(
            f"The search server rejected the component template {name}: {error}. It is merged with "
            f"{' and '.join(customs)}: if the reason names a field or setting of these, correct it there."
        ) from error
