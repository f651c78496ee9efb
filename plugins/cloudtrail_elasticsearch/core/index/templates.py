"""Index templates on the server: reads them without their mappings, and writes them if they have changed.

In a template's index patterns, the servers know only ``*``, which matches every index with a similar name. So the
template of the events lists exact names (docs/adr/0016-an-index-is-named-exactly.md).
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any, Final

import msgspec

from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.errors import MappingError, RejectedRequestError
from cloudtrail_elasticsearch.core.index.event_template import PRIORITY
from cloudtrail_elasticsearch.core.index.index_pattern import TEMPLATES, IndexPattern
from cloudtrail_elasticsearch.core.search.answers import send_request
from cloudtrail_elasticsearch.core.search.bulk import ERROR_FIELDS
from cloudtrail_elasticsearch.core.search.server import SearchServer

log = logging.getLogger(__name__)

_FIELDS: Final = ("name", *(f"index_template.{field}" for field in ("index_patterns", "priority", "_meta")))
"""The members of a template that the loader reads."""

ATTEMPTS: Final = 5
"""The number of attempts to add a name to a template that other workers change at the same time."""


@dataclass(frozen=True, slots=True)
class ListedTemplate:
    """A template on the server, without its mapping."""

    names: frozenset[str]
    """Its index patterns."""
    priority: int
    meta: Mapping[str, Any]


class _Template(msgspec.Struct, frozen=True):
    index_patterns: list[str]
    priority: int = 0
    meta: dict[str, Any] = msgspec.field(name="_meta", default={})

    @property
    def listed(self) -> ListedTemplate:
        return ListedTemplate(frozenset(self.index_patterns), self.priority, self.meta)


class _Entry(msgspec.Struct, frozen=True):
    name: str
    index_template: _Template


class _Answer(msgspec.Struct, frozen=True):
    index_templates: list[_Entry] = []


def read_templates(server: SearchServer, prefix: str = TEMPLATES) -> dict[str, ListedTemplate]:
    """Return the templates whose names begin with a prefix, by name.

    The request is for all templates: the server answers it with 200 even if it has none, so a 404 is a proxy's.
    """
    found = _read(server, "/_index_template")
    return {name: listed for name, listed in found.items() if name.startswith(prefix)}


def read_template(server: SearchServer, name: str) -> ListedTemplate | None:
    """Return a template; None if it does not exist."""
    try:
        return _read(server, f"/_index_template/{name}").get(name)
    except RejectedRequestError as error:
        if error.status == 404:
            return None
        raise


def _read(server: SearchServer, path: str) -> dict[str, ListedTemplate]:
    path = f"{path}?filter_path={ERROR_FIELDS},{','.join(f'index_templates.{field}' for field in _FIELDS)}"
    answer = send_request(server, _Answer, "GET", path)
    return {entry.name: entry.index_template.listed for entry in answer.index_templates}


def put_template(server: SearchServer, name: str, content: Mapping[str, Any]) -> None:
    """Write one template.

    :raises MappingError: the server rejects it; if another template is the cause, the message names that template
    """
    try:
        server.request("PUT", f"/_index_template/{name}", codec.encode(content))
    except RejectedRequestError as error:
        raise _make_mapping_error(server, name, content, error) from error


class EventTemplate:
    """The template of one pattern's indices."""

    def __init__(self, server: SearchServer, pattern: IndexPattern, content: Mapping[str, Any]) -> None:
        self._server = server
        self._name = pattern.template
        self._pattern = pattern
        self._content = content
        self._taken: frozenset[str] = frozenset()
        """Names that another pattern's template lists: the server rejects a name in two templates."""

    def update(
        self,
        listed: Mapping[str, ListedTemplate],
        existing: Iterable[str],
        content: Mapping[str, Any] | None = None,
    ) -> None:
        """Write the template if its content or its names differ from those on the server.

        :param listed: the loader's templates on the server
        :param existing: the pattern's indices that the loader has created
        :param content: its content from now on; None: as before
        :raises MappingError: the server rejects the template
        """
        self._content = content or self._content
        current = listed.get(self._name)
        self._taken = self._find_taken_names(listed)
        names = (self._keep_own_names(current) | {*existing, *self._content["index_patterns"]}) - self._taken
        # No name is left if other patterns' templates list them all.
        if names and current != ListedTemplate(names, PRIORITY, self._content["_meta"]):
            self._put(names)

    def add(self, name: str) -> None:
        """Add a name to the template, unless it is listed.

        :raises MappingError: the server rejects the template
        """
        # Other workers may write the template at the same time, so it is read again after each write.
        for _ in range(ATTEMPTS):
            current = read_template(self._server, self._name)
            if name in self._taken or (current is not None and name in current.names):
                return
            self._put(self._keep_own_names(current) | {name})
        log.warning(
            "The index template %s does not list %s after %d attempts, because other workers also change it. If "
            "somebody deletes that index during the load, run the load again.",
            self._name,
            name,
            ATTEMPTS,
        )

    def _keep_own_names(self, current: ListedTemplate | None) -> frozenset[str]:
        """Return the names on the server that stay; wildcards of earlier versions are dropped."""
        return frozenset(filter(self._pattern.produces, current.names if current else ()))

    def _find_taken_names(self, listed: Mapping[str, ListedTemplate]) -> frozenset[str]:
        others = (found for name, found in listed.items() if name != self._name)
        # Templates of other priorities can list the same name: the highest priority applies.
        return frozenset().union(*(found.names for found in others if found.priority == PRIORITY))

    def _put(self, names: frozenset[str]) -> None:
        """Write the template with these names, without those that another pattern's template lists by now."""
        free = names - self._taken
        try:
            put_template(self._server, self._name, {**self._content, "index_patterns": sorted(free)})
        except MappingError:
            # Another pattern's template may list a name since `update`; the server rejects it in a second one
            # (ADR-0016).
            taken = self._find_taken_names(read_templates(self._server))
            if not free & taken:
                raise
            self._taken = taken
            if names - taken:
                # Ends, because each round has fewer names.
                self._put(names)


def _make_mapping_error(
    server: SearchServer, name: str, content: Mapping[str, Any], error: RejectedRequestError
) -> MappingError:
    for other, found in read_templates(server, "").items():
        if other == name or found.priority != content["priority"]:
            continue
        for index in content["index_patterns"]:
            if any(fnmatchcase(index, expression) for expression in found.names):
                return MappingError(
                    f"The search server rejected the index template {name}, because the index template {other} "
                    f"has the same priority ({found.priority}) and also matches {index}. Give {other} another "
                    f"priority, or choose another index."
                )
    customs = " or ".join(each for each in content.get("composed_of", ()) if each.endswith("@custom"))
    hint = f". If the reason names a field or setting of {customs}, correct it there." if customs else ""
    return MappingError(f"The search server rejected the index template {name}: {error}{hint}")
