"""The index templates: of the events, of the quarantine and of what was learned, for either server."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final, Literal

from cloudtrail_elasticsearch.core import codec, ecs
from cloudtrail_elasticsearch.core.errors import MappingError
from cloudtrail_elasticsearch.core.events import content_id
from cloudtrail_elasticsearch.core.rules import LOOKUP
from cloudtrail_elasticsearch.core.shape import Kind, Node, Shape

Engine = Literal["elasticsearch", "opensearch"]

TOTAL_FIELDS_LIMIT: Final = 5_000
SERVERS_FIELDS_LIMIT: Final = 1_000
"""The limit of an index that sets none.

https://www.elastic.co/docs/reference/elasticsearch/index-settings/mapping-limit
"""

FLAT_DEPTH_LIMIT: Final = 100
QUARANTINE_INDEX: Final = "cloudtrail-quarantine"
RULES_INDEX: Final = "cloudtrail-rules"
COVERAGE_INDEX: Final = "cloudtrail-coverage"
OWN_INDICES: Final = (QUARANTINE_INDEX, RULES_INDEX, COVERAGE_INDEX)
TEMPLATES: Final = "cloudtrail-elasticsearch-"
"""What the names of all index templates begin with."""

SORTED_BY: Final = ("eventSource", "eventName", "@timestamp")
"""In which order an index keeps its documents.

https://www.elastic.co/docs/reference/elasticsearch/index-settings/sorting
"""

NEVER_SORTED_BY: Final = frozenset({"requestID"})
"""What is searched for and nothing else: there is no use in a column of random values to sort and to count by."""

DEFAULT_INDEX: Final = "cloudtrail-%Y.%m"
UNDATED: Final = "undated"
MANAGED_BY: Final = "cloudtrail-elasticsearch"

_FORBIDDEN = re.compile(r'[\\/*?"<>| ,#:A-Z]')
_DIRECTIVE = re.compile(r"%[A-Za-z]")


@dataclass(frozen=True, slots=True)
class IndexPattern:
    """The name of an event's index: a fixed one, or one with ``%Y``, ``%m``, ``%d`` of the event's own time.

    :raises MappingError: the server would refuse the name
    """

    text: str

    def __post_init__(self) -> None:
        fixed = _DIRECTIVE.sub("", self.text)
        unknown = set(_DIRECTIVE.findall(self.text)) - {"%Y", "%m", "%d"}
        if unknown or "%" in fixed:
            raise MappingError(f"The index pattern {self.text!r} can hold %Y, %m and %d, nothing else with %.")
        if not fixed or _FORBIDDEN.search(fixed) or fixed[0] in "-_+." or len(self.text) > 200:
            raise MappingError(
                f"The index pattern {self.text!r} is not a name that a search server takes: lower-case letters, "
                f"digits, '-', '_' and '.', beginning with a letter or digit."
            )

    def name(self, time: datetime | None) -> str:
        """Return the index of an event of that time; what has no time goes to an index of its own."""
        if "%" not in self.text:
            return self.text
        if time is None:
            return f"{self._stem}-{UNDATED}"
        return (
            self.text.replace("%Y", f"{time.year:04d}")
            .replace("%m", f"{time.month:02d}")
            .replace("%d", f"{time.day:02d}")
        )

    @property
    def matches(self) -> tuple[str, ...]:
        """What to search for all of its indices, as the template's ``index_patterns``."""
        if "%" not in self.text:
            return (self.text,)
        return (_DIRECTIVE.sub("*", self.text), f"{self._stem}-{UNDATED}")

    @property
    def template(self) -> str:
        """The name of its index template."""
        return TEMPLATES + _DIRECTIVE.sub(lambda found: found[0][1].lower(), self.text)

    @property
    def priority(self) -> int:
        """The template's priority: a longer, more particular name goes before a shorter one it overlaps."""
        return 500 + len(self._stem)

    @property
    def _stem(self) -> str:
        return re.sub(r"[-_.]*(%[Ymd][-_.]*)+", "-", self.text).strip("-")


def template(pattern: IndexPattern, shape: Shape, engine: Engine) -> dict[str, Any]:
    """Return the index template for a pattern.

    :raises MappingError: more fields are declared than ``index.mapping.total_fields.limit`` allows
    """
    mappings = event_mappings(shape, engine)
    return {
        "index_patterns": list(pattern.matches),
        "priority": pattern.priority,
        "template": {
            "settings": {
                "index": {
                    "mapping": {"total_fields": {"limit": TOTAL_FIELDS_LIMIT}},
                    "refresh_interval": "30s",
                    "codec": "best_compression",
                    "sort": _sort(mappings["properties"]),
                }
            },
            "mappings": mappings,
        },
        "_meta": mappings["_meta"],
    }


def event_mappings(shape: Shape, engine: Engine) -> dict[str, Any]:
    """Return the mapping of the events' documents: what is declared, and nothing else is ever mapped.

    Its ``_meta`` names the strategy, and a fingerprint by which an index is seen to be up to date.

    :raises MappingError: more fields are declared than ``index.mapping.total_fields.limit`` allows
    """
    properties = {name: _property(node, engine) for name, node in shape.root.mapped.items()}
    for name in NEVER_SORTED_BY & properties.keys():
        if properties[name] == _keyword():
            properties[name] = _keyword() | {"doc_values": False}
    properties |= {
        "@timestamp": {"type": "date"},
        **_schema(shape),
        LOOKUP: _property(shape.lookup, engine),
        "tags": _keyword(),
        "overflow": _flat(engine),
        "unindexed": {
            "properties": {"path": _keyword(), "sha256": _keyword(), "json": {"type": "object", "enabled": False}}
        },
        "normalization": {"properties": {"rules": _keyword(), "changes": {"type": "object", "enabled": False}}},
    }
    fields = _count(properties)
    if fields > TOTAL_FIELDS_LIMIT:
        raise MappingError(
            f"{fields} fields are declared, more than index.mapping.total_fields.limit "
            f"({TOTAL_FIELDS_LIMIT}): shorten the fields file."
        )
    return {
        "dynamic": False,
        "date_detection": False,
        "numeric_detection": False,
        "properties": properties,
        "_meta": {
            "managed_by": MANAGED_BY,
            "strategy": shape.strategy,
            "fingerprint": content_id(codec.canonical(properties))[:23],
        },
    }


def quarantine_template() -> dict[str, Any]:
    """Return the index template of the quarantine: the event whole, as text, and why it is there."""
    return _own_template(
        QUARANTINE_INDEX,
        {
            "quarantinedAt": {"type": "date"},
            "eventID": _keyword(),
            "index": _keyword(),
            "pattern": _keyword(),
            "kind": _keyword(),
            "reason": _words(),
            "event": {"type": "keyword", "index": False, "doc_values": False},
        },
    )


def rules_template() -> dict[str, Any]:
    """Return the index template of what was learned: a refused path to a document, and why."""
    return _own_template(
        RULES_INDEX,
        {
            "pattern": _keyword(),
            "path": _keyword(),
            "goesTo": _keyword(),
            "kind": _keyword(),
            "reason": _words(),
            "eventID": _keyword(),
            "learnedAt": {"type": "date"},
        },
    )


def coverage_template() -> dict[str, Any]:
    """Return the index template of the coverage ledger: a document for each account, region, day and pattern."""
    counts = (
        "looked_up",
        "staged",
        "duplicates",
        "late",
        "own",
        "left_out",
        "indexed",
        "quarantined",
        "calls",
        "throttled",
    )
    times = ("start", "end", "first_event", "last_event", "staged_at", "verified_at", "updated_at")
    return _own_template(
        COVERAGE_INDEX,
        {
            **{name: _keyword() for name in ("account", "region", "day", "pattern", "state")},
            **{name: {"type": "date"} for name in times},
            **{name: {"type": "long"} for name in counts},
            "attempts": {"properties": {"fetch": {"type": "long"}, "load": {"type": "long"}}},
            "problem": _words(),
            "run": {
                "properties": {
                    "dag_id": _keyword(),
                    "run_id": _keyword(),
                    "task_id": _keyword(),
                    "map_index": {"type": "long"},
                }
            },
        },
    )


def _sort(properties: dict[str, Any]) -> dict[str, list[str]]:
    """Return the order of documents on disk: like beside like, so that they compress."""
    fields = [name for name in SORTED_BY if properties.get(name, {}).get("type") in {"keyword", "date"}]
    return {"field": fields, "order": ["asc"] * len(fields)}


def _own_template(index: str, properties: dict[str, Any]) -> dict[str, Any]:
    fingerprint = content_id(codec.canonical(properties))[:23]
    return {
        "index_patterns": [index],
        "priority": 1000,
        "template": {"mappings": {"dynamic": False, "properties": properties}},
        "_meta": {"managed_by": MANAGED_BY, "fingerprint": fingerprint},
    }


def _property(node: Node, engine: Engine) -> dict[str, Any]:
    match node.kind:
        case Kind.OBJECT:
            return {"properties": {name: _property(child, engine) for name, child in node.mapped.items()}}
        case Kind.FLAT:
            return _flat(engine)
        case Kind.KEYWORD:
            return _keyword()
        case Kind.BOOLEAN:
            return {"type": "boolean"}
        case Kind.DATE:
            return {"type": "date", "format": "strict_date_optional_time"}
        case Kind.UNMAPPED:
            raise AssertionError("an unmapped node has no property")


def _schema(shape: Shape) -> dict[str, Any]:
    """Return the properties of the Elastic Common Schema."""
    fields: dict[str, dict[str, Any]] = {"source.ip": {"type": "ip"}}
    if shape.ecs:
        fields |= {name: _keyword() for name in ecs.KEYWORDS}
        fields |= {name: {"type": "alias", "path": path} for name, path in ecs.ALIASES.items()}
    properties: dict[str, Any] = {}
    for path, field in fields.items():
        *parents, leaf = path.split(".")
        target = properties
        for name in parents:
            target = target.setdefault(name, {"properties": {}})["properties"]
        target[leaf] = field
    return properties


def _count(properties: dict[str, Any]) -> int:
    """How many fields the server counts in a mapping: objects too."""
    return sum(1 + _count(field.get("properties", {})) for field in properties.values())


def _keyword() -> dict[str, Any]:
    return {"type": "keyword"}


def _words() -> dict[str, Any]:
    return {"type": "text", "fields": {"keyword": {"type": "keyword", "ignore_above": 512}}}


def _flat(engine: Engine) -> dict[str, Any]:
    if engine == "opensearch":
        return {"type": "flat_object"}
    return {"type": "flattened", "depth_limit": FLAT_DEPTH_LIMIT}
