"""The index set-up on the server: made when it is missing, brought up to date when it has changed."""

from __future__ import annotations

import logging
from typing import Any, Protocol

from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.errors import MappingError, RefusedError
from cloudtrail_elasticsearch.core.mapping import (
    MANAGED_BY,
    QUARANTINE_INDEX,
    SERVERS_FIELDS_LIMIT,
    TOTAL_FIELDS_LIMIT,
    Engine,
    IndexPattern,
    quarantine_template,
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


def prepare(server: SearchServer, pattern: IndexPattern, shape: Shape) -> None:
    """Put the templates and bring existing indices of the pattern up to date.

    Costs two small reads where everything is as it should be.

    :raises MappingError: an index of ours has another strategy, or the server refuses the template
    """
    wanted = template(pattern, shape, server.engine)
    if _current(server, pattern.template) != wanted["_meta"]:
        _put_template(server, f"cloudtrail-elasticsearch-{QUARANTINE_INDEX}", quarantine_template())
        _put_template(server, pattern.template, wanted)
    _update_indices(server, pattern, wanted["template"]["mappings"])


def _current(server: SearchServer, name: str) -> Any:
    try:
        found = server.request("GET", f"/_index_template/{name}")
    except RefusedError as error:
        if error.status == 404:
            return None
        raise
    return found["index_templates"][0]["index_template"].get("_meta")


def _put_template(server: SearchServer, name: str, content: dict[str, Any]) -> None:
    try:
        server.request("PUT", f"/_index_template/{name}", codec.encode(content))
    except RefusedError as error:
        raise MappingError(f"The search server refuses the index template {name}: {error}") from error


def _update_indices(server: SearchServer, pattern: IndexPattern, mappings: dict[str, Any]) -> None:
    indices = server.request("GET", f"/{','.join(pattern.matches)}?ignore_unavailable=true&allow_no_indices=true")
    for name, found in indices.items():
        meta = found["mappings"].get("_meta", {})
        if meta == mappings["_meta"]:
            continue
        _check_strategy(name, meta, mappings["_meta"])
        try:
            _raise_limit(server, name, found["settings"])
            server.request("PUT", f"/{name}/_mapping", codec.encode(mappings))
        except RefusedError as error:
            log.warning(
                "The index %s has a mapping of its own that ours cannot be added to (%s). What it refuses will "
                "be quarantined; to avoid that, load into an index that this loader makes.",
                name,
                error,
            )


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
