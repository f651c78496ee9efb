"""Reads the TOML files of Elastic's detection rules: KQL queries are run, of others only the fields are read.

https://github.com/elastic/detection-rules
"""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from devstack.detections.elastic_fields import ElasticValues
from devstack.detections.errors import RuleError
from devstack.detections.kql import find_comparisons, matches, parse, to_dsl
from devstack.detections.kql.tree import Is, Nested, Node, Range, Text
from devstack.detections.rules import Comparison, Event, Matches, Rule, Unconverted

_STRING: Final = re.compile(r'"""(?:.|\n)*?"""|"(?:\\.|[^"\\])*"|//[^\n]*')
_FIELD: Final = re.compile(r"(?<![\w.*@-])(?:@timestamp|[a-z_]+(?:\.[\w-]+)+)(?![\w*.-]|\s*\()")
_NEW_COLUMN: Final = re.compile(r"(?<![\w.])([\w.]+)\s*=(?![=~])")
_CATEGORY: Final = re.compile(r"(?:^|\[)\s*(\w+)\s+where\b", re.MULTILINE)


def read_elastic_rules(file: Path, fields: Mapping[str, str]) -> Iterator[Rule | Unconverted]:
    """Yield the rule of a file, if it is a rule with a query.

    :param fields: the type of each field in the mapping, see `to_dsl`
    :raises RuleError: the file is not TOML
    """
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError):
        raise RuleError(f"The rule file {file.name} is not TOML in UTF-8.") from None
    rule: dict[str, Any] = content.get("rule", {})
    query = rule.get("query")
    if query is None:
        return
    if rule.get("language") == "kuery":
        yield convert_kql_rule(file.stem, query, fields)
    else:
        language = str(rule.get("language", rule.get("type")))
        yield Unconverted(file.stem, f"{language} is not run, only its fields are read", read_fields(query))


def convert_kql_rule(name: str, query: str, fields: Mapping[str, str]) -> Rule | Unconverted:
    """Return a rule with its search; `Unconverted` if it is not KQL, or names a field that has no reference."""
    try:
        tree = parse(query)
        parts = list(dict.fromkeys(find_comparisons(tree)))
        for part in parts:
            matches(part, ElasticValues({}))
    except RuleError as error:
        return Unconverted(name, str(error))
    comparisons = tuple(
        Comparison(tuple(_find_fields(part)), to_dsl(part, fields), _evaluate(part)) for part in parts
    )
    return Rule(name, to_dsl(tree, fields), _evaluate(tree), comparisons)


def read_fields(query: str) -> frozenset[str]:
    """Return the names of fields in an EQL or ES|QL query: dotted names outside texts, but for new columns.

    An EQL query for a category other than ``any`` searches ``event.category``.
    """
    plain = _STRING.sub('""', query)
    made = set(_NEW_COLUMN.findall(plain))
    found = {name for name in _FIELD.findall(plain) if name not in made}
    categories = set(_CATEGORY.findall(plain)) - {"any"}
    return frozenset(found | ({"event.category"} if categories else set()))


def _evaluate(node: Node) -> Matches:
    def evaluate(event: Event) -> bool:
        return matches(node, ElasticValues(event))

    return evaluate


def _find_fields(node: Node) -> Iterable[str]:
    match node:
        case Nested(field, child):
            return [f"{field.text}.{name}" for part in find_comparisons(child) for name in _find_fields(part)]
        case Is(field=Text(name)) | Range(field=Text(name)):
            return [name]
    return []
