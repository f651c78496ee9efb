"""Existing mappings that other people made: the fields that are added to them, and those that are not."""

from __future__ import annotations

from typing import Any

import pytest

from cloudtrail_elasticsearch.core.index.mapping_diff import Difference, compare_mappings, shorten_list

KEYWORD, LONG = {"type": "keyword"}, {"type": "long"}
OURS: dict[str, Any] = {
    "name": KEYWORD,
    "deep": {"properties": {"a": KEYWORD, "b": {"properties": {"c": {"type": "boolean"}}}}},
    "overflow": {"type": "flat_object"},
    "kind": {"type": "alias", "path": "name"},
    "inner": {"properties": {"alias": {"type": "alias", "path": "deep.b.c"}}},
}


def test_everything_is_added_to_an_empty_mapping_and_nothing_to_an_equal_one() -> None:
    """The two extremes."""
    assert compare_mappings(OURS, {}).missing == OURS
    assert compare_mappings(OURS, OURS) == Difference({}, (), frozenset())


def test_an_index_of_an_earlier_version_keeps_its_doc_values() -> None:
    """The parameters of a field are no difference: the server would reject the change (ADR-0031)."""
    ours, theirs = {"eventID": {"type": "keyword", "doc_values": False}}, {"eventID": KEYWORD}
    assert compare_mappings(ours, theirs) == compare_mappings(theirs, ours) == Difference({}, (), frozenset())


def test_missing_fields_are_added_beside_different_ones() -> None:
    """At any depth. An existing field is never written again, and no alias of an object is added."""
    theirs = {
        "name": {"properties": {"first": KEYWORD}},
        "deep": {"properties": {"b": {"properties": {"c": LONG}}}},
    }
    difference = compare_mappings(OURS, theirs)
    assert difference.missing == {
        "deep": {"properties": {"a": KEYWORD}},
        "overflow": {"type": "flat_object"},
        "inner": {"properties": {}},
    }
    assert difference.differing == ("name", "deep.b.c")
    assert difference.rejecting == {"name", "deep.b.c"}


def test_an_alias_of_a_different_field_is_not_added() -> None:
    """Nor one of a field below it: the server would reject the whole mapping."""
    assert compare_mappings(OURS, {"name": LONG}).missing.keys() == OURS.keys() - {"name", "kind"}
    assert compare_mappings(OURS, {"deep": KEYWORD}).missing["inner"] == {"properties": {}}


@pytest.mark.parametrize("enabled", [False, "false"])
def test_an_object_that_is_only_stored_differs_and_takes_any_value(enabled: Any) -> None:
    """No alias can point into it, so none is added: the server would reject the whole mapping."""
    difference = compare_mappings(OURS, {"deep": {"type": "object", "enabled": enabled}})
    added = {name: OURS[name] for name in ("name", "overflow", "kind")} | {"inner": {"properties": {}}}
    assert difference == Difference(added, ("deep",), frozenset())


def test_a_nested_field_stays_nested() -> None:
    """The server would not merge an object into it."""
    theirs = {"deep": {"type": "nested", "properties": {"a": KEYWORD}}}
    below = {"b": OURS["deep"]["properties"]["b"]}
    assert compare_mappings(OURS, theirs).missing["deep"] == {"type": "nested", "properties": below}


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
        ({"type": "geo_point"}, KEYWORD, True),
        ({"type": "geo_point"}, {"type": "object", "enabled": False}, False),
        ({"type": "flattened"}, {"properties": {}}, True),
        ({"type": "flattened"}, {"type": "object", "enabled": False}, False),
    ],
)
def test_a_type_rejects_values_unless_it_accepts_all_of_ours(
    ours: dict[str, Any], theirs: dict[str, Any], refuses: bool
) -> None:
    """Text accepts any scalar, flat fields accept any object, disabled objects accept anything."""
    difference = compare_mappings({"x": ours}, {"x": theirs})
    assert difference.missing == {}
    assert difference.differing == ("x",)
    assert difference.rejecting == (frozenset({"x"}) if refuses else frozenset())


def test_a_long_list_of_paths_is_shortened() -> None:
    """Ten are named, the others are counted."""
    assert shorten_list(["b", "a"]) == "a, b"
    assert shorten_list(f"p{number:02d}" for number in range(13)).endswith("p08, p09 and 3 more")


def test_a_missing_sub_field_is_added_to_an_equal_field() -> None:
    """The rest of the existing field stays as it is, and so do its own sub-fields."""
    ours = {"agent": {"type": "keyword", "normalizer": "lowercase", "fields": {"exact": KEYWORD, "text": KEYWORD}}}
    theirs = {"agent": {"type": "keyword", "ignore_above": 256, "fields": {"text": {"type": "text"}}}}
    difference = compare_mappings(ours, theirs)
    assert difference.missing == {"agent": {"type": "keyword", "ignore_above": 256, "fields": {"exact": KEYWORD}}}
    assert difference.differing == ()


def test_values_are_not_copied_to_a_different_field() -> None:
    """The server would reject a document for a copied value that the field does not take."""
    copied = {"type": "keyword", "copy_to": ["name", "deep.a"]}
    missing = compare_mappings(OURS | {"user": copied}, {"name": LONG}).missing
    assert missing["user"] == {"type": "keyword", "copy_to": ["deep.a"]}
