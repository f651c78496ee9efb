"""Other people's mappings: what is added to them, and what is not."""

from __future__ import annotations

from typing import Any

import pytest

from cloudtrail_elasticsearch.core.foreign import Difference, compare, shortened

KEYWORD, LONG = {"type": "keyword"}, {"type": "long"}
OURS: dict[str, Any] = {
    "name": KEYWORD,
    "deep": {"properties": {"a": KEYWORD, "b": {"properties": {"c": {"type": "boolean"}}}}},
    "overflow": {"type": "flat_object"},
    "kind": {"type": "alias", "path": "name"},
    "inner": {"properties": {"alias": {"type": "alias", "path": "deep.b.c"}}},
}


def test_all_is_added_to_what_is_empty_and_nothing_to_its_equal() -> None:
    """The ends of the scale."""
    assert compare(OURS, {}).missing == OURS
    assert compare(OURS, OURS) == Difference({}, (), frozenset())


def test_what_does_not_contradict_is_added_beside_what_does() -> None:
    """At any depth; a field that is there is never put again, and no alias of an object is added."""
    theirs = {
        "name": {"properties": {"first": KEYWORD}},
        "deep": {"properties": {"b": {"properties": {"c": LONG}}}},
    }
    difference = compare(OURS, theirs)
    assert difference.missing == {
        "deep": {"properties": {"a": KEYWORD}},
        "overflow": {"type": "flat_object"},
        "inner": {"properties": {}},
    }
    assert difference.contradicting == ("name", "deep.b.c")
    assert difference.refusing == {"name", "deep.b.c"}


def test_an_alias_of_what_cannot_be_there_is_not_added() -> None:
    """Neither of a field of another type, nor of one below it: the server would refuse all for it."""
    assert compare(OURS, {"name": LONG}).missing.keys() == OURS.keys() - {"name", "kind"}
    assert compare(OURS, {"deep": KEYWORD}).missing["inner"] == {"properties": {}}


def test_what_is_nested_stays_nested() -> None:
    """The server would not merge an object into it."""
    theirs = {"deep": {"type": "nested", "properties": {"a": KEYWORD}}}
    below = {"b": OURS["deep"]["properties"]["b"]}
    assert compare(OURS, theirs).missing["deep"] == {"type": "nested", "properties": below}


@pytest.mark.parametrize(
    ("ours", "theirs", "refuses"),
    [
        (KEYWORD, {"type": "text"}, False),
        ({"type": "date"}, {"type": "wildcard"}, False),
        (KEYWORD, {"type": "date"}, True),
        (KEYWORD, {"properties": {}}, True),
        (KEYWORD, {"type": "object", "enabled": False}, False),
        ({"properties": {"a": KEYWORD}}, {"type": "flattened"}, False),
        ({"properties": {"a": KEYWORD}}, {"type": "text"}, True),
        ({"type": "flattened"}, {"properties": {}}, True),
        ({"type": "flattened"}, {"type": "object", "enabled": False}, False),
    ],
)
def test_a_type_refuses_unless_it_takes_all_that_ours_takes(
    ours: dict[str, Any], theirs: dict[str, Any], refuses: bool
) -> None:
    """Text takes any scalar, flat fields any object, what is not enabled anything."""
    difference = compare({"x": ours}, {"x": theirs})
    assert difference.missing == {}
    assert difference.contradicting == ("x",)
    assert difference.refusing == (frozenset({"x"}) if refuses else frozenset())


def test_a_long_list_of_paths_is_cut() -> None:
    """Ten are named, the others counted."""
    assert shortened(["b", "a"]) == "a, b"
    assert shortened(f"p{number:02d}" for number in range(13)).endswith("p08, p09 and 3 more")
