"""The Kibana Query Language: its tree, its search, and its evaluation on an event."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pytest

from devstack.detections.errors import QuerySyntaxError
from devstack.detections.kql import find_comparisons, matches, parse, to_dsl
from devstack.detections.kql.tree import And, Is, Nested, Node, Not, Or, Pattern, Range, Text
from devstack.detections.values import read_path, read_scalars


class Document:
    """A document as the values of an event."""

    def __init__(self, value: dict[str, Any]) -> None:
        self._value = value

    def find(self, name: str) -> Iterable[Any]:
        return read_path(self._value, name)

    def find_all(self) -> Iterable[Any]:
        return read_scalars(self._value)

    def names(self) -> Iterable[str]:
        return self._value


A, B, C = (Is(Text(name), Text("1")) for name in "abc")


@pytest.mark.parametrize(
    ("query", "tree"),
    [
        ("a: 1", A),
        ("a:1 or b:1 and c:1", Or((A, And((B, C))))),
        ("(a:1 or b:1) AND c:1", And((Or((A, B)), C))),
        ("not a:1 and b:1", And((Not(A), B))),
        ("a: (1 or 2)", Or((A, Is(Text("a"), Text("2"))))),
        ("a: (* and not 1)", And((Is(Text("a"), Pattern(("", ""))), Not(A)))),
        ('a: "x y"', Is(Text("a"), Text("x y", is_phrase=True))),
        ("a: x y", Is(Text("a"), Text("x y"))),
        ("a: x*y*", Is(Text("a"), Pattern(("x", "y", "")))),
        (r"a: arn\:aws\:*", Is(Text("a"), Pattern(("arn:aws:", "")))),
        (r'a: "say \"x\" \\"', Is(Text("a"), Text('say "x" \\', is_phrase=True))),
        (r"a: \*\u0041", Is(Text("a"), Text("*A"))),
        ('a: "*"', Is(Text("a"), Text("*", is_phrase=True))),
        ("a >= 5", Range(Text("a"), "gte", "5")),
        ("a: { b: 1 and c: 1 }", Nested(Text("a"), And((B, C)))),
        ("a.*: 1", Is(Pattern(("a.", "")), Text("1"))),
        ("*: 1", Is(None, Text("1"))),
        ("word", Is(None, Text("word"))),
        ("", Is(None, Pattern(("", "")))),
        ("android: order", Is(Text("android"), Text("order"))),
        ("\n  a: 1\n  and\n  b: 1\n", And((A, B))),
    ],
)
def test_queries_are_parsed(query: str, tree: Node) -> None:
    assert parse(query) == tree


@pytest.mark.parametrize(
    "query", ["a:", "(a: 1", "a: (1 or ", "a: 1 and ", "a: {b: 1", "a: 1)", 'a: "x', "a > *", ": 1"]
)
def test_mistakes_are_reported_with_their_place(query: str) -> None:
    with pytest.raises(QuerySyntaxError, match=r"mistake at character \d+: expected "):
        parse(query)


def test_comparisons_of_a_query_are_found_in_order() -> None:
    assert list(find_comparisons(parse("not (a: 1 or c: 1) and b: 1"))) == [A, C, B]


@pytest.mark.parametrize(
    ("query", "search"),
    [
        ("a: 1", {"match": {"a": "1"}}),
        ('a: "x y"', {"match_phrase": {"a": "x y"}}),
        ("a: *", {"exists": {"field": "a"}}),
        ("a: x*?", {"wildcard": {"a": {"value": r"x*\?"}}}),
        ("words: x y*", {"query_string": {"fields": ["words"], "query": r"x\ y*"}}),
        ("a < 5", {"range": {"a": {"lt": "5"}}}),
        ("b.*: 1", [{"match": {"b.c": "1"}}, {"match": {"b.d": "1"}}]),
    ],
)
def test_comparisons_become_searches(query: str, search: Any) -> None:
    fields = {"a": "keyword", "words": "text", "b.c": "keyword", "b.d": "keyword"}
    searches = search if isinstance(search, list) else [search]
    assert to_dsl(parse(query), fields) == {"bool": {"should": searches, "minimum_should_match": 1}}


def test_a_name_without_fields_finds_nothing() -> None:
    assert to_dsl(parse("none.*: 1"), {}) == {"match_none": {}}


def test_names_in_braces_are_below_their_field() -> None:
    assert to_dsl(parse("a: {b: 1}"), {}) == {
        "nested": {
            "path": "a",
            "query": {"bool": {"should": [{"match": {"a.b": "1"}}], "minimum_should_match": 1}},
        }
    }


DOCUMENT = {
    "name": "Ada",
    "port": 443,
    "is": True,
    "at": "2026-11-20T10:00:00Z",
    "ip": "198.51.100.9",
    "tags": ["red", "blue"],
    "empty": None,
    "list": [{"kind": "x", "size": 1}, {"kind": "y", "size": 2}],
    "deep": {"er": "value"},
}


@pytest.mark.parametrize(
    ("query", "is_match"),
    [
        ("name: Ada", True),
        ("name: ada", False),  # keyword fields keep case
        ("name: A*a", True),
        ("name: *", True),
        ("empty: *", False),
        ("absent: *", False),
        ("not absent: 1", True),
        ("is: true", True),
        ("port: 443", True),
        ("port > 80 and port <= 443", True),
        ("port < 80", False),
        ("at >= 2026-11-20", True),
        ("at < 2026-11-20", False),
        ("ip: 198.51.100.0/24", True),
        ("ip: 203.0.113.0/24", False),
        ("tags: blue and tags: red", True),
        ("tags: (red and blue)", True),
        ("tags: (* and not green)", True),
        ("list.kind: x and list.size: 2", True),
        ("list: {kind: x and size: 2}", False),
        ("list: {kind: y and size: 2}", True),
        ("deep.er: value", True),
        ("na*: Ada", True),
        ("blue", True),
        ("Ada or nothing", True),
        ("green", False),
        ('"Ada"', True),
        ("", True),
    ],
)
def test_queries_are_evaluated(query: str, is_match: bool) -> None:
    assert matches(parse(query), Document(DOCUMENT)) is is_match
