"""The events on a server: loaded by this project's loader, searched by the ids of their documents."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import orjson

from cloudtrail_elasticsearch.core.documents.events import Event, document_id, parse_line
from cloudtrail_elasticsearch.core.errors import FileError
from cloudtrail_elasticsearch.core.search.server import SearchServer
from cloudtrail_elasticsearch.sources.files import Files, find_files
from devstack.detections.rules import Query
from devstack.fidelity.checks import Index

OBJECT = "object"
"""The type of a path that has fields below it, and none of its own."""

_SUFFIXES = (".json", ".ndjson", ".json.gz", ".ndjson.gz", ".jsonl", ".jsonl.gz")


def read_events(path: Path) -> dict[str, bytes]:
    """Return the line of each event in a file or in the files of a folder, by the id of its document.

    :raises FileError: there is no event
    """
    files = [file for file in find_files([str(path)]) if file.endswith(_SUFFIXES)]
    lines = {
        document_id(event): line for line in Files(files).lines() if isinstance(event := parse_line(line), Event)
    }
    if not lines:
        raise FileError(
            f"{path} has no CloudTrail events. Name a folder of files that end in {', '.join(_SUFFIXES)}."
        )
    return lines


@dataclass(frozen=True)
class LoadedEvents:
    """Events in an index of their own, and the raw records beside them."""

    index: Index
    records: Mapping[str, dict[str, Any]]
    """By the id of the document."""

    @classmethod
    def load(cls, server: SearchServer, name: str, lines: Mapping[str, bytes]) -> LoadedEvents:
        """Load events with the typed strategy and with texts into a new index.

        :raises AssertionError: an event is not indexed
        """
        index = Index(server, name, "typed", texts=True)
        report = index.load(lines.values())
        assert report.indexed == len(lines), f"{report.indexed} of {len(lines)} events are indexed"
        loaded = cls(index, {identifier: orjson.loads(line) for identifier, line in lines.items()})
        loaded._request("PUT", "_settings", {"index": {"max_result_window": max(len(lines), 10_000)}})
        return loaded

    @cached_property
    def fields(self) -> dict[str, str]:
        """The type of each field by its name; `OBJECT` for an object, the target's type for an alias."""
        found = dict(_read_properties(self.index.mapping().get("properties", {})))
        types = {name: str(field.get("type", OBJECT)) for name, field in found.items()}
        return {name: types.get(field.get("path", ""), types[name]) for name, field in found.items()}

    def search(self, query: Query, among: Iterable[str] | None = None) -> frozenset[str]:
        """Return the ids of the events that a query finds, or of those among some.

        :raises RejectedRequestError: the server rejects the query
        """
        if among is not None:
            query = {"bool": {"must": [query], "filter": [{"ids": {"values": sorted(among)}}]}}
        body = {"query": query, "size": len(self.records), "_source": False, "track_scores": False}
        return frozenset(hit["_id"] for hit in self.index.search(body)["hits"]["hits"])

    def put_alias(self, name: str, path: str) -> None:
        """Add an alias of a field to the mapping.

        :raises RejectedRequestError: the mapping has no such field, or has no place for the alias
        """
        *parents, leaf = name.split(".")
        properties: dict[str, Any] = {leaf: {"type": "alias", "path": path}}
        for parent in reversed(parents):
            properties = {parent: {"properties": properties}}
        self._request("PUT", "_mapping", {"properties": properties})
        self.fields[name] = self.fields[path]

    def _request(self, method: str, path: str, body: dict[str, Any]) -> None:
        self.index.server.request(method, f"/{self.index.name}/{path}", orjson.dumps(body))


def _read_properties(properties: Mapping[str, Any], parent: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    for name, field in properties.items():
        path = f"{parent}{name}"
        yield path, field
        yield from _read_properties(field.get("properties", {}), f"{path}.")
        yield from _read_properties(field.get("fields", {}), f"{path}.")
