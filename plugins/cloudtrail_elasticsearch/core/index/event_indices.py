"""The indices of one pattern: the loader creates or compares each before it sends the first document to it.

The loader changes only indices that it created and indices of the load's events, never one with a merely similar
name. It creates an index explicitly, with the whole mapping, so that the index does not depend on a template that
another worker writes at the same time. The template is for an index that somebody deletes during a load
(docs/adr/0016-an-index-is-named-exactly.md).
"""

from __future__ import annotations

import threading
from typing import Any

from cloudtrail_elasticsearch.core.documents.schema import Schema
from cloudtrail_elasticsearch.core.errors import MappingError, RejectedRequestError
from cloudtrail_elasticsearch.core.index.component_templates import (
    list_custom_names,
    make_components,
    update_components,
)
from cloudtrail_elasticsearch.core.index.event_alias import update_alias
from cloudtrail_elasticsearch.core.index.event_template import (
    make_event_mappings,
    make_event_settings,
    make_event_template,
)
from cloudtrail_elasticsearch.core.index.existing_indices import (
    check_strategy,
    list_managed_indices,
    update_index,
)
from cloudtrail_elasticsearch.core.index.index_creation import IndexCreation
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.index.index_settings import IndexSettings
from cloudtrail_elasticsearch.core.index.own_indices import update_own_indices
from cloudtrail_elasticsearch.core.index.own_templates import make_own_templates
from cloudtrail_elasticsearch.core.index.templates import EventTemplate, read_templates
from cloudtrail_elasticsearch.core.index.united_content import has_fields
from cloudtrail_elasticsearch.core.search.server import SearchServer


class EventIndices:
    """Creates or updates the indices of a pattern; shared by the threads of a load."""

    def __init__(
        self,
        server: SearchServer,
        pattern: IndexPattern,
        schema: Schema,
        settings: IndexSettings | None = None,
    ) -> None:
        chosen = settings or IndexSettings()
        self._server = server
        self._pattern = pattern
        self._mappings = make_event_mappings(schema, server.engine)
        made = make_event_settings(self._mappings["properties"]) | chosen.make_content(server.engine)
        self._components = make_components(pattern, made, self._mappings)
        self._template_meta = self._mappings["_meta"]
        """The ``_meta`` of the template's mapping, which can have the fields of other DAGs, too."""
        self._template = EventTemplate(server, pattern, self._make_template(pattern.alias))
        self._chosen = chosen
        self._creation = IndexCreation(server, pattern, self._mappings, chosen)
        self._lock = threading.Lock()
        self._has_components = False
        self.rejecting_paths: dict[str, frozenset[str]] = {}
        """For each created or compared index, the paths at which its mapping rejects values of the loader."""

    def prepare(self) -> None:
        """Write the changed templates, and update those of the pattern's indices that the loader manages.

        If the pattern is a fixed name, its index is compared at once, even if the loader did not create it,
        because the load writes to it.

        :raises MappingError: an index of the loader has another strategy, or the server rejects a template
        """
        listed = read_templates(self._server)
        update_own_indices(self._server, make_own_templates(), listed)
        managed = list_managed_indices(self._server, self._pattern)
        self._update_components()
        alias = update_alias(self._server, self._pattern, managed)
        self._template.update(listed, managed, self._make_template(alias))
        wanted = self._mappings["_meta"]
        for name, meta in managed.items():
            check_strategy(name, meta, wanted)
            # `_meta` has the fingerprint of the fields, so most indices need no request.
            if not has_fields(meta, wanted):
                update_index(self._server, name, self._mappings)
        with self._lock:
            self.rejecting_paths = {}
            if not self._pattern.is_dated:
                self._compare(self._pattern.text)

    def ensure(self, name: str) -> frozenset[str]:
        """Create an index if it is missing, and return the paths at which its mapping rejects values.

        Only the first call for a name sends requests.

        :raises MappingError: the index cannot be created, or has another strategy
        """
        with self._lock:
            if name not in self.rejecting_paths:
                # First, so that the server has the mapping if somebody deletes the index during the load
                # (ADR-0016).
                if not self._has_components:
                    self._update_components()
                self._template.add(name)
                self._compare(name)
            if name not in self.rejecting_paths:
                self._create(name)
                # A worker that wrote the template at the same time may have removed the name (ADR-0016).
                self._template.add(name)
            return self.rejecting_paths[name]

    def _compare(self, name: str) -> None:
        rejecting = update_index(self._server, name, self._mappings)
        if rejecting is not None:
            self._creation.complete(name)
            self.rejecting_paths[name] = rejecting

    def _create(self, name: str) -> None:
        try:
            # With the loader's own mapping, no path rejects a value (ADR-0001).
            self.rejecting_paths[name] = self._creation.create(name)
        except RejectedRequestError as error:
            self._compare(name)  # another worker may have created it first
            if name not in self.rejecting_paths:
                raise MappingError(
                    f"The search server did not create the index {name}: {error}. "
                    f"{self._creation.explain_rejection()}"
                ) from error

    def _update_components(self) -> None:
        # The server rejects an index template without its components.
        current = update_components(self._server, self._pattern, self._components)
        united = current[f"{self._pattern.template}@mappings"]["template"]["mappings"]
        self._template_meta = united["_meta"]
        # With the fields of other DAGs, because the `_source` setting cannot be changed after the creation.
        self._creation = IndexCreation(self._server, self._pattern, united, self._chosen)
        self._has_components = True

    def _make_template(self, alias: str | None) -> dict[str, Any]:
        components = (*self._components, *list_custom_names(self._pattern))
        return make_event_template(self._pattern, components, self._template_meta, alias)
