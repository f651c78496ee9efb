"""The index set-up on the server: made when it is missing, brought up to date when it has changed."""

from __future__ import annotations

import logging
from typing import Any, Protocol

from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.errors import MappingError, RefusedError
from cloudtrail_elasticsearch.core.foreign import compare, shortened
from cloudtrail_elasticsearch.core.mapping import (
    COVERAGE_INDEX,
    MANAGED_BY,
    OWN_INDICES,
    QUARANTINE_INDEX,
    RULES_INDEX,
    SERVERS_FIELDS_LIMIT,
    TEMPLATES,
    TOTAL_FIELDS_LIMIT,
    Engine,
    IndexPattern,
    coverage_template,
    quarantine_template,
    rules_template,
    template,
)
from cloudtrail_elasticsearch.core.shape import Shape

log = logging.getLogger(__name__)


class SearchServer(Protocol):
    """The one thing the core asks of a search server: to answer a request."""

    @property
    def name(self) -> str:
        """Its address, without credentials."""

    @property
    def engine(self) -> Engine:
        """Which of the two it is."""

    def request(self, method: str, path: str, body: bytes | None = None) -> Any:
        """Send JSON (newline-delimited for ``_bulk``) and return the answer's JSON.

        :raises TransientError: it may pass: a lost connection, a timeout, 429, 502-504, a block
        :raises AccessDeniedError: the server does not let this user do it
        :raises RefusedError: the server will not do it, whoever asks and however often
        """


def prepare(server: SearchServer, pattern: IndexPattern, shape: Shape) -> dict[str, frozenset[str]]:
    """Put the templates and bring existing indices of the pattern up to date.

    Costs two small reads where everything is as it should be. Returns, for each index that is there, the paths
    of which its own mapping refuses what ours would take.

    :raises MappingError: an index of ours has another strategy, or the server refuses the template
    """
    events = template(pattern, shape, server.engine)
    _put_templates(
        server,
        {
            f"{TEMPLATES}{QUARANTINE_INDEX}": quarantine_template(),
            f"{TEMPLATES}{RULES_INDEX}": rules_template(),
            f"{TEMPLATES}{COVERAGE_INDEX}": coverage_template(),
            pattern.template: events,
        },
    )
    return _update_indices(server, pattern, events["template"]["mappings"])


def prepare_ledger(server: SearchServer) -> None:
    """Put the template of the coverage ledger, alone; costs a small read where it is as it should be.

    :raises MappingError: the server refuses the template
    """
    _put_templates(server, {f"{TEMPLATES}{COVERAGE_INDEX}": coverage_template()})


def _put_templates(server: SearchServer, wanted: dict[str, Any]) -> None:
    current = _current(server)
    for name, content in wanted.items():
        if current.get(name) != content["_meta"]:
            _put_template(server, name, content)


def _current(server: SearchServer) -> dict[str, Any]:
    """Return the ``_meta`` of our templates by their names."""
    try:
        found = server.request("GET", f"/_index_template/{TEMPLATES}*")["index_templates"]
    except RefusedError as error:
        if error.status == 404:  # OpenSearch's way to say that there is none
            return {}
        raise
    return {entry["name"]: entry["index_template"].get("_meta") for entry in found}


def _put_template(server: SearchServer, name: str, content: dict[str, Any]) -> None:
    try:
        server.request("PUT", f"/_index_template/{name}", codec.encode(content))
    except RefusedError as error:
        raise MappingError(f"The search server refuses the index template {name}: {error}") from error


def _update_indices(
    server: SearchServer, pattern: IndexPattern, mappings: dict[str, Any]
) -> dict[str, frozenset[str]]:
    indices = server.request("GET", f"/{','.join(pattern.matches)}?ignore_unavailable=true&allow_no_indices=true")
    refusing: dict[str, frozenset[str]] = {}
    for name, found in indices.items():
        if name in OWN_INDICES:
            continue
        meta = found["mappings"].get("_meta", {})
        _check_strategy(name, meta, mappings["_meta"])
        difference = compare(mappings["properties"], found["mappings"].get("properties", {}))
        refusing[name] = difference.refusing
        if meta != mappings["_meta"]:
            _add(server, name, found["settings"], mappings | {"properties": difference.missing})
        if difference.contradicting:
            log.warning(
                "The index %s has a mapping of its own that contradicts ours at %s. What it refuses there goes to "
                "overflow, and is found there; to have it all under its own name, load into an index that this "
                "loader makes.",
                name,
                shortened(difference.contradicting),
            )
    return refusing


def _add(server: SearchServer, name: str, settings: dict[str, Any], mappings: dict[str, Any]) -> None:
    try:
        _raise_limit(server, name, settings)
        server.request("PUT", f"/{name}/_mapping", codec.encode(mappings))
    except RefusedError as error:
        log.warning("The index %s does not take our fields beside its own (%s).", name, error)


def _raise_limit(server: SearchServer, name: str, settings: dict[str, Any]) -> None:
    """Make room for our fields in an index that was made without our template; a higher limit stays."""
    mapping = settings["index"].get("mapping", {})
    limit = int(mapping.get("total_fields", {}).get("limit", SERVERS_FIELDS_LIMIT))
    if limit < TOTAL_FIELDS_LIMIT:
        content = {"index.mapping.total_fields.limit": TOTAL_FIELDS_LIMIT}
        server.request("PUT", f"/{name}/_settings", codec.encode(content))


def _check_strategy(name: str, meta: dict[str, Any], wanted: dict[str, Any]) -> None:
    if meta.get("managed_by") == MANAGED_BY and meta.get("strategy") != wanted["strategy"]:
        raise MappingError(
            f"The index {name} was made with mapping={meta.get('strategy')}, so it cannot take documents of "
            f"mapping={wanted['strategy']}: choose another index name, or the mapping it has."
        )
