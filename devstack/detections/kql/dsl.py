"""Converts a query to the query DSL of both engines, as Kibana does."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from devstack.detections.kql.tree import And, Is, Name, Nested, Node, Not, Or, Pattern, Range, Text

Query = dict[str, Any]

_EXACT: Final = frozenset({"keyword", "wildcard", "constant_keyword"})
_SPECIAL: Final = re.compile(r'[+\-=&|><!(){}\[\]^"~*?:\\/\s]')
_WILDCARD_SPECIAL: Final = re.compile(r"[\\*?]")


def to_dsl(node: Node, fields: Mapping[str, str]) -> Query:
    """Return the search for a query.

    :param fields: the type of each field in the mapping; as in Kibana's data view, they decide how a wildcard is
        searched, and which fields a name with a wildcard stands for
    """
    match node:
        case And(children):
            return {"bool": {"filter": [to_dsl(child, fields) for child in children]}}
        case Or(children):
            return _any([to_dsl(child, fields) for child in children])
        case Not(child):
            return {"bool": {"must_not": [to_dsl(child, fields)]}}
        case Nested(field, child):
            # The names inside the braces are relative to the field.
            return {"nested": {"path": field.text, "query": to_dsl(_below(child, field.text), fields)}}
        case Range(field, operator, value):
            return _any([{"range": {name: {operator: value}}} for name in _names(field, fields)])
        case Is(field, value) if field is not None:
            return _any([_search(name, value, fields) for name in _names(field, fields)])
        case Is(_, value):
            return _search_everywhere(value)


def _search(name: str, value: Text | Pattern, fields: Mapping[str, str]) -> Query:
    match value:
        case Text(text, is_phrase):
            return {"match_phrase" if is_phrase else "match": {name: text}}
        case Pattern() if value.is_anything:
            return {"exists": {"field": name}}
        case Pattern(parts) if fields.get(name) in _EXACT:
            pattern = "*".join(_WILDCARD_SPECIAL.sub(r"\\\g<0>", part) for part in parts)
            return {"wildcard": {name: {"value": pattern}}}
        case Pattern():
            return {"query_string": {"fields": [name], "query": _to_query_string(value)}}


def _search_everywhere(value: Text | Pattern) -> Query:
    match value:
        case Text(text, is_phrase):
            return {
                "multi_match": {"type": "phrase" if is_phrase else "best_fields", "query": text, "lenient": True}
            }
        case Pattern() if value.is_anything:
            return {"match_all": {}}
        case Pattern():
            return {"query_string": {"query": _to_query_string(value)}}


def _to_query_string(pattern: Pattern) -> str:
    return "*".join(_SPECIAL.sub(r"\\\g<0>", part) for part in pattern.parts)


def _names(field: Text | Pattern, fields: Mapping[str, str]) -> list[str]:
    """Return the fields that a name stands for; an unknown name is searched as it is, and finds nothing."""
    if isinstance(field, Text):
        return [field.text]
    return [name for name in fields if field.expression.fullmatch(name)]


def _any(queries: list[Query]) -> Query:
    return {"bool": {"should": queries, "minimum_should_match": 1}} if queries else {"match_none": {}}


def _below(node: Node, path: str) -> Node:
    """Return a query with its names below a path."""
    match node:
        case And(children):
            return And(tuple(_below(child, path) for child in children))
        case Or(children):
            return Or(tuple(_below(child, path) for child in children))
        case Not(child):
            return Not(_below(child, path))
        case Nested(field, child):
            return Nested(Text(f"{path}.{field.text}"), child)
        case Range(field, operator, value):
            return Range(_join(path, field), operator, value)
        case Is(field, value):
            return Is(_join(path, field), value)


def _join(path: str, field: Name) -> Text | Pattern:
    match field:
        case None:
            return Pattern((f"{path}.", ""))
        case Text(text):
            return Text(f"{path}.{text}")
        case Pattern((first, *others)):
            return Pattern((f"{path}.{first}", *others))
    raise AssertionError(field)
