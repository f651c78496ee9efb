"""The loader's own indices: quarantine, rejected paths and coverage ledger."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.errors import RejectedRequestError
from cloudtrail_elasticsearch.core.index.templates import ListedTemplate, put_template
from cloudtrail_elasticsearch.core.search.server import SearchServer

log = logging.getLogger(__name__)


def update_own_indices(
    server: SearchServer, wanted: Mapping[str, Any], listed: Mapping[str, ListedTemplate]
) -> None:
    """Write those templates, given by name, that are missing or differ, and add new fields to their indices.

    :raises MappingError: the server rejects a template
    """
    for name, content in wanted.items():
        if name in listed and listed[name].meta == content["_meta"]:
            continue
        # First, because the template shows whether this is done.
        for index in content["index_patterns"]:
            _add_fields(server, index, content["template"]["mappings"]["properties"])
        put_template(server, name, content)


def _add_fields(server: SearchServer, index: str, properties: Mapping[str, Any]) -> None:
    try:
        server.request("PUT", f"/{index}/_mapping", codec.encode({"properties": properties}))
    except RejectedRequestError as error:
        if error.status != 404:  # the index does not exist yet
            # The loader needs no field of these indices for a load or a proof.
            log.warning("Could not add the loader's new fields to the index %s: %s", index, error)
