"""The alias over all indices of a dated pattern, for searches; the loader itself never uses it (ADR-0016)."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from typing import Any

from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.errors import AccessDeniedError, RejectedRequestError
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.search.answers import send_request
from cloudtrail_elasticsearch.core.search.bulk import MISSING_IS_EMPTY
from cloudtrail_elasticsearch.core.search.server import SearchServer

log = logging.getLogger(__name__)


def update_alias(server: SearchServer, pattern: IndexPattern, existing: Iterable[str]) -> str | None:
    """Add the pattern's alias to those of its existing indices that lack it, and return it for the template.

    Returns None if the pattern has no alias, if an index has its name, or if the user may not read it.
    """
    alias = pattern.alias
    if alias is None:
        return None
    path = f"/{alias}?{MISSING_IS_EMPTY}&filter_path=*.settings.index.uuid"
    try:
        found = send_request(server, dict[str, Mapping[str, Any]], "GET", path)
    except AccessDeniedError as error:
        # A role can name the pattern's indices only. The loader needs no alias for a load or a proof.
        log.warning("The indices of %s get no alias %s: %s", pattern.text, alias, error)
        return None
    if alias in found:
        log.warning(
            "The indices of %s get no alias, because an index is called %s. Search them by their names.",
            pattern.text,
            alias,
        )
        return None
    lacking = sorted(set(existing) - found.keys())
    if lacking:
        _add_alias(server, alias, lacking)
    return alias


def _add_alias(server: SearchServer, alias: str, indices: list[str]) -> None:
    actions = {"actions": [{"add": {"indices": indices, "alias": alias}}]}
    try:
        server.request("POST", "/_aliases", codec.encode(actions))
    except (AccessDeniedError, RejectedRequestError) as error:
        # The loader needs no alias for a load or a proof.
        log.warning(
            "The alias %s lacks %d existing indices, so searches by it do not find their events: %s. Add it as an "
            "administrator: POST /_aliases %s",
            alias,
            len(indices),
            error,
            codec.encode(actions).decode(),
        )
