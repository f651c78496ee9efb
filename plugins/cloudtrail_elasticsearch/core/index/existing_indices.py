"""Existing indices: compares them with the loader's mapping, and adds the missing fields."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final, TypedDict

from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.errors import MappingError, RejectedRequestError
from cloudtrail_elasticsearch.core.index.event_template import SERVERS_FIELDS_LIMIT, TOTAL_FIELDS_LIMIT
from cloudtrail_elasticsearch.core.index.index_pattern import MANAGED_BY, IndexPattern
from cloudtrail_elasticsearch.core.index.mapping_diff import compare_mappings, shorten_list
from cloudtrail_elasticsearch.core.index.united_content import has_fields, unite_meta
from cloudtrail_elasticsearch.core.log_text import safe_text
from cloudtrail_elasticsearch.core.search.answers import send_request
from cloudtrail_elasticsearch.core.search.bulk import MISSING_IS_EMPTY

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.core.search.server import SearchServer

log = logging.getLogger(__name__)

_REPORTED: Final[set[tuple[str, str, tuple[str, ...]]]] = set()
"""The server, index and differing paths of each logged warning."""


class _Meta(TypedDict):
    _meta: dict[str, Any]


class _WithMeta(TypedDict):
    mappings: _Meta


class _Mappings(TypedDict, total=False):
    _meta: dict[str, Any]
    properties: dict[str, dict[str, Any]]


class _Settings(TypedDict):
    index: dict[str, Any]


class _Index(TypedDict):
    aliases: dict[str, dict[str, Any]]
    mappings: _Mappings
    settings: _Settings


def list_managed_indices(server: SearchServer, pattern: IndexPattern) -> dict[str, Mapping[str, Any]]:
    """Return the ``_meta``, by name, of the pattern's indices that the loader has created or added its fields to.

    The server also lists indices with merely similar names; they are skipped here (ADR-0016). No mapping is read.
    """
    expression = ",".join(pattern.matches)
    path = f"/{expression}?{MISSING_IS_EMPTY}&filter_path=*.mappings._meta"
    found = send_request(server, dict[str, _WithMeta], "GET", path)
    metas = {name: index["mappings"]["_meta"] for name, index in found.items() if pattern.produces(name)}
    return {name: meta for name, meta in metas.items() if meta.get("managed_by") == MANAGED_BY}


def update_index(server: SearchServer, name: str, mappings: Mapping[str, Any]) -> frozenset[str] | None:
    """Add missing fields to an index, and return the paths at which its mapping rejects values of the loader.

    Returns None if the index does not exist. If the name is an alias, its write index is updated.

    :raises MappingError: the index was created with another mapping strategy
    """
    path = f"/{name}?{MISSING_IS_EMPTY}"
    indices = send_request(server, dict[str, _Index], "GET", path)
    if not indices:
        return None
    rejecting = [
        _update_one(server, each, indices[each], mappings) for each in _find_written_indices(name, indices)
    ]
    return frozenset().union(*rejecting)


def check_strategy(name: str, meta: Mapping[str, Any], wanted: Mapping[str, Any]) -> None:
    """Check that an index of the loader was created with the configured strategy.

    :raises MappingError: it was created with another strategy
    """
    if meta.get("managed_by") == MANAGED_BY and meta.get("strategy") != wanted["strategy"]:
        raise MappingError(
            f"The index {name} was created with mapping={meta.get('strategy')}, so it cannot hold documents of "
            f"mapping={wanted['strategy']}. Choose another index name, or the mapping that the index has."
        )


def _find_written_indices(name: str, indices: Mapping[str, _Index]) -> list[str]:
    """Return the indices that a request to write to this name writes to."""
    writing = [
        each for each, found in indices.items() if found.get("aliases", {}).get(name, {}).get("is_write_index")
    ]
    # A plain index, or an alias of one index, needs no write index.
    return writing or list(indices)


def _update_one(server: SearchServer, name: str, found: _Index, mappings: Mapping[str, Any]) -> frozenset[str]:
    meta = found["mappings"].get("_meta", {})
    check_strategy(name, meta, mappings["_meta"])
    difference = compare_mappings(mappings["properties"], found["mappings"].get("properties", {}))
    if not has_fields(meta, mappings["_meta"]):
        # The index may belong to somebody else, so the rest of its `_meta` stays.
        added = {"properties": difference.missing, "_meta": unite_meta(meta, mappings["_meta"])}
        # The `_source` setting of an index cannot be changed after its creation.
        added = {name: value for name, value in mappings.items() if name != "_source"} | added
        _add_fields(server, name, found["settings"], added)
    if difference.differing:
        _report(server.name, name, difference.differing)
    return difference.rejecting


def _report(server: str, name: str, differing: tuple[str, ...]) -> None:
    """Log the differing paths of an index once for each process, because each load compares its indices again."""
    if (server, name, differing) in _REPORTED:
        return
    _REPORTED.add((server, name, differing))
    log.warning(
        "The index %s has a mapping of its own, which differs from the loader's at %s. Values that it rejects "
        "there go to overflow and can be searched there. To have all values under their own names, load into "
        "an index that the loader creates, without these fields in a @custom component.",
        safe_text(name),
        safe_text(shorten_list(differing)),
    )


def _add_fields(server: SearchServer, name: str, settings: Mapping[str, Any], mappings: Mapping[str, Any]) -> None:
    try:
        # First, because the server rejects a mapping with more fields than the limit.
        _raise_fields_limit(server, name, settings)
        server.request("PUT", f"/{name}/_mapping", codec.encode(mappings))
    except RejectedRequestError as error:
        log.warning(
            "Could not add the loader's fields to the index %s: %s. Events are loaded whole, but the missing "
            "fields cannot be searched. The next load tries again. Then make the events that are already in the "
            "index searchable with an update by query.",
            safe_text(name),
            error,
        )


def _raise_fields_limit(server: SearchServer, name: str, settings: Mapping[str, Any]) -> None:
    """Raise the limit of fields if an index was created without the loader's template; a higher limit stays."""
    mapping = settings["index"].get("mapping", {})
    limit = int(mapping.get("total_fields", {}).get("limit", SERVERS_FIELDS_LIMIT))
    # Never lowered, because the index may need its owner's higher limit.
    if limit < TOTAL_FIELDS_LIMIT:
        content = {"index.mapping.total_fields.limit": TOTAL_FIELDS_LIMIT}
        server.request("PUT", f"/{name}/_settings", codec.encode(content))
