"""The settings of new indices that a run can choose: shards, replicas, lifecycle policy and ingest pipeline."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from cloudtrail_elasticsearch.core.errors import ConfigurationError
from cloudtrail_elasticsearch.core.search.server import Engine

MOST_SHARDS: Final = 1024
"""The most primary shards that a server accepts.

https://www.elastic.co/docs/reference/elasticsearch/index-settings/index-modules
"""

CHOSEN_SETTINGS: Final[Mapping[str, Callable[[str], str | int]]] = {
    "index.number_of_shards": int,
    "index.number_of_replicas": int,
    "index.lifecycle.name": str,
    "index.default_pipeline": str,
}
"""The settings that a run can choose, and the type of each: servers return all settings as texts."""


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexSettings:
    """The choices for indices that a load creates; None: the server's default. A ``@custom`` component prevails.

    An existing index keeps its settings (ADR-0014).
    """

    shards: int | None = None
    """The number of primary shards."""
    replicas: int | None = None
    """The number of copies of each primary shard."""
    lifecycle: str | None = None
    """The name of a lifecycle policy: of ILM in Elasticsearch, of ISM in OpenSearch."""
    pipeline: str | None = None
    """The name of an ingest pipeline that the server runs for every document."""

    @classmethod
    def parse(cls, **values: str | int | None) -> IndexSettings:
        """Return the settings for values that a template rendered; an empty text is None.

        :raises ConfigurationError: a number is not a whole number, or not in its range
        """
        return cls(
            shards=_parse_number("shards", values.get("shards"), 1),
            replicas=_parse_number("replicas", values.get("replicas"), 0),
            lifecycle=str(values.get("lifecycle") or "") or None,
            pipeline=str(values.get("pipeline") or "") or None,
        )

    def make_content(self, engine: Engine) -> dict[str, Any]:
        """Return the chosen settings by their flat names.

        ISM has no setting for its policy, so `IndexCreation` attaches it to each created index.
        """
        chosen = {
            "index.number_of_shards": self.shards,
            "index.number_of_replicas": self.replicas,
            "index.lifecycle.name": self.lifecycle if engine == "elasticsearch" else None,
            "index.default_pipeline": self.pipeline,
        }
        return {name: value for name, value in chosen.items() if value is not None}


def _parse_number(name: str, value: str | int | None, smallest: int) -> int | None:
    text = "" if value is None else str(value).strip()
    if not text:
        return None
    if not text.isdecimal() or not smallest <= int(text) <= MOST_SHARDS:
        raise ConfigurationError(
            f"{name} is {text[:100]!r}: choose a whole number from {smallest} to {MOST_SHARDS}, or leave it empty."
        )
    return int(text)
