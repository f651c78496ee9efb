"""The catalogue: the kinds it has for paths, and a place for both sides of every conflict."""

from __future__ import annotations

from typing import Any

import pytest

from cloudtrail_elasticsearch.cli import main
from cloudtrail_elasticsearch.core.documents.catalogue import (
    Catalogue,
    Conflict,
    Entry,
    Occurrence,
    ValueKind,
    catalogue,
    describe,
)
from cloudtrail_elasticsearch.core.documents.declared_fields import OPEN_OBJECTS, open_fields
from cloudtrail_elasticsearch.core.documents.events import Event
from cloudtrail_elasticsearch.core.documents.explain import locate
from cloudtrail_elasticsearch.core.documents.normalize import Normalizer
from cloudtrail_elasticsearch.core.documents.restore import restore
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES, Schema, Strategy
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.encoding import codec
from tests.core.conflicts import at, conflicting, hard_conflicts

SCHEMAS = {strategy: build_schema(strategy, load_rules()) for strategy in STRATEGIES}
TYPED = SCHEMAS["typed"]


def kinds(*found: ValueKind) -> Entry:
    return Entry("requestParameters.a", tuple(Occurrence(kind, 1, 1, False) for kind in found))


@pytest.mark.parametrize(
    ("entry", "conflict"),
    [
        (kinds(), None),
        (kinds(ValueKind.TEXT), None),
        (kinds(ValueKind.OBJECT, ValueKind.MAP), None),
        (kinds(ValueKind.TEXT, ValueKind.NUMBER), Conflict.SOFT),
        (kinds(ValueKind.TEXT, ValueKind.TIME), Conflict.SOFT),
        (kinds(ValueKind.MAP, ValueKind.BOOLEAN), Conflict.HARD),
        (kinds(ValueKind.OBJECT, ValueKind.TEXT, ValueKind.NUMBER), Conflict.HARD),
    ],
)
def test_kinds_conflict_hard_softly_or_not_at_all(entry: Entry, conflict: Conflict | None) -> None:
    """An object and a scalar conflict hard, scalars of different kinds softly, and objects not at all."""
    assert entry.conflict is conflict


def test_an_entry_is_found_by_its_whole_path() -> None:
    """The beginning or the end of a path does not find it, and an unknown path has no kinds."""
    known = Catalogue(b'["a.b",[["text",3,2,true]]]\n["a.b.c",[["map",1,1,false]]]\n')
    assert known["a.b"] == Entry("a.b", (Occurrence(ValueKind.TEXT, 3, 2, True),))
    assert known["a.b.c"].occurrences[0].kind is ValueKind.MAP
    assert [known[path].occurrences for path in ("a", "b", "a.b.c.d", "", 'a.b",')] == [()] * 5
    assert [entry.path for entry in known] == ["a.b", "a.b.c"]


def test_the_catalogue_has_the_models_of_all_services() -> None:
    """It has thousands of names, hundreds of which conflict."""
    requests = [entry for entry in catalogue() if _is_below(entry.path, "requestParameters")]
    responses = [entry for entry in catalogue() if _is_below(entry.path, "responseElements")]
    assert len(requests) > 13_000
    assert len(responses) > 5_000
    assert sum(entry.conflict is Conflict.HARD for entry in requests) > 300
    assert sum(entry.conflict is Conflict.HARD for entry in responses) > 110


def _is_below(path: str, top: str) -> bool:
    return path.startswith(f"{top}.") and path.count(".") == 1


def test_no_key_below_a_map_has_a_field_unless_a_model_names_it() -> None:
    """Callers choose these keys, so they are unlikely in other events and must not be shipped."""
    known = {entry.path: entry.occurrences for entry in catalogue()}
    maps = {path for path, found in known.items() if any(one.kind is ValueKind.MAP for one in found)}
    below = [path for path in open_fields() if path.rpartition(".")[0] in maps]
    assert below
    assert [path for path in below if not any(found.operations for found in known[path])] == []


def test_declared_fields_leave_a_thousand_for_users() -> None:
    """More than a thousand of the index's 5,000 fields are free."""
    assert 2_500 < TYPED.root.count() < 4_000


@pytest.mark.promise("findable")
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_both_sides_of_every_hard_conflict_have_a_place(strategy: Strategy) -> None:
    """As a scalar, an object or a list of both: the event is restored, and each value is found as documented."""
    schema = SCHEMAS[strategy]
    normalizer = Normalizer(schema)
    conflicts = hard_conflicts()
    assert len(conflicts) > 400
    for path in conflicts:
        for record in conflicting(path):
            source = codec.decode(codec.encode(normalizer.document(Event(record, {})).source))
            assert {(found.field, found.value) for found in locate(source)} <= _expected(record, schema)
            assert restore(source) == record


def _expected(record: dict[str, Any], schema: Schema) -> set[tuple[str | None, Any]]:
    """Return every scalar of a record under each of the documented fields of its path."""
    return {(field, value) for path, value in _scalars(record, "") for field in schema.fields(path)}


def _scalars(value: Any, path: str) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [
            found for name, child in value.items() for found in _scalars(child, f"{path}.{name}" if path else name)
        ]
    if isinstance(value, list):
        return [found for element in value for found in _scalars(element, path)]
    return [(path, value)]


def test_a_conflict_listed_both_ways_has_fields_for_both() -> None:
    """Scalars go to a field below the path, beside the fields of the objects."""
    listed = set(open_fields())
    both = [path for path in hard_conflicts() if path in listed and TYPED.fields(path) != (f"overflow.{path}",)]
    assert both
    for path in both:
        source = Normalizer(TYPED).document(Event(at(path, "text"), {})).source
        assert "overflow" not in source


def test_the_key_of_the_general_rule_can_be_an_object() -> None:
    """If an object has a `value` that is an object itself, the scalar beside it is found in overflow."""
    paths = ["requestParameters.odd", "requestParameters.odd.value.deep", "requestParameters.odd.value"]
    for extra in (paths[:2], paths):
        schema = build_schema("typed", load_rules(), extra)
        for value in ("text", ["text", 1], {"value": {"deep": "x"}}, {"value": "text"}, ["text", {"value": "x"}]):
            record = {"requestParameters": {"odd": value}}
            source = Normalizer(schema).document(Event(record, {})).source
            assert restore(source) == record


def test_a_named_rule_overrides_the_general_one() -> None:
    """The path keeps the key that its own rule chose."""
    extra = ["requestParameters.domainName", "requestParameters.domainName.deeper"]
    assert build_schema("typed", load_rules(), extra).fields("requestParameters.domainName") == (
        "requestParameters.domainName.name",
    )


@pytest.mark.parametrize(
    ("path", "strategy", "fields"),
    [
        ("eventName", "typed", ["eventName"]),
        ("requestParameters.instanceId", "typed", ["requestParameters.instanceId"]),
        ("requestParameters.instanceId", "flattened", ["requestParameters.instanceId"]),
        ("requestParameters", "flattened", ["requestParameters.value"]),
        ("requestParameters.neverSeen", "typed", ["overflow.requestParameters.neverSeen"]),
        ("requestParameters.instanceId.x", "typed", ["overflow.requestParameters.instanceId.x"]),
        ("requestParameters.instancesSet", "typed", ["overflow.requestParameters.instancesSet"]),
        (
            "requestParameters.iamInstanceProfile",
            "typed",
            ["requestParameters.iamInstanceProfile.name", "requestParameters.iamInstanceProfile.arn"],
        ),
    ],
)
def test_a_path_is_described(path: str, strategy: Strategy, fields: list[str]) -> None:
    """The output of the command names the fields that hold a scalar at the path."""
    assert list(describe(path, SCHEMAS[strategy])["fields"]) == fields


def test_only_paths_below_open_objects_are_shipped() -> None:
    """Every path begins with an open object."""
    assert {entry.path.partition(".")[0] for entry in catalogue()} == set(OPEN_OBJECTS)


def test_the_command_prints_a_line_for_each_path(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Known or unknown, in the given order, under the chosen strategy."""
    assert main(["catalogue", "requestParameters.tags", "requestParameters.neverSeen"]) == 0
    known, unknown = map(codec.decode, capfdbinary.readouterr().out.splitlines())
    assert known["conflict"] == "hard"
    assert known["kinds"]["object"]["recorded"]
    assert known["fields"] == ["requestParameters.tags.value"]
    assert unknown == {
        "path": "requestParameters.neverSeen",
        "kinds": {},
        "conflict": None,
        "fields": ["overflow.requestParameters.neverSeen"],
    }
    main(["catalogue", "--mapping", "flattened", "requestParameters.neverSeen"])
    assert codec.decode(capfdbinary.readouterr().out)["fields"] == ["requestParameters.neverSeen"]
