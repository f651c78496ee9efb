"""The catalogue: what it knows of paths, and that both sides of every conflict have a place."""

from __future__ import annotations

from typing import Any

import pytest

from cloudtrail_elasticsearch.cli import main
from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.catalogue import (
    Catalogue,
    Conflict,
    Entry,
    Occurrence,
    ValueKind,
    catalogue,
    describe,
)
from cloudtrail_elasticsearch.core.events import Event
from cloudtrail_elasticsearch.core.explain import locate
from cloudtrail_elasticsearch.core.normalize import Normalizer, restore
from cloudtrail_elasticsearch.core.rules import load_rules
from cloudtrail_elasticsearch.core.shape import OPEN_OBJECTS, STRATEGIES, Shape, Strategy, build, open_fields
from tests.core.conflicts import at, conflicting, hard_conflicts

SHAPES = {strategy: build(strategy, load_rules()) for strategy in STRATEGIES}
TYPED = SHAPES["typed"]


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
def test_kinds_conflict(entry: Entry, conflict: Conflict | None) -> None:
    """An object against a scalar is a hard conflict, scalars of different kinds a soft one, objects alone none."""
    assert entry.conflict is conflict


def test_an_entry_is_found_by_its_whole_path() -> None:
    """Neither the beginning of a path nor its end names it, and what is unknown has no kinds."""
    known = Catalogue(b'["a.b",[["text",3,2,true]]]\n["a.b.c",[["map",1,1,false]]]\n')
    assert known["a.b"] == Entry("a.b", (Occurrence(ValueKind.TEXT, 3, 2, True),))
    assert known["a.b.c"].occurrences[0].kind is ValueKind.MAP
    assert [known[path].occurrences for path in ("a", "b", "a.b.c.d", "", 'a.b",')] == [()] * 5
    assert [entry.path for entry in known] == ["a.b", "a.b.c"]


def test_the_size_of_the_catalogue() -> None:
    """It knows the models of all services: thousands of names, hundreds of which conflict."""
    requests = [entry for entry in catalogue() if _is_below(entry.path, "requestParameters")]
    responses = [entry for entry in catalogue() if _is_below(entry.path, "responseElements")]
    assert len(requests) > 13_000
    assert len(responses) > 5_000
    assert sum(entry.conflict is Conflict.HARD for entry in requests) > 300
    assert sum(entry.conflict is Conflict.HARD for entry in responses) > 110


def _is_below(path: str, top: str) -> bool:
    return path.startswith(f"{top}.") and path.count(".") == 1


def test_no_key_below_a_map_has_a_field_unless_a_model_names_it() -> None:
    """The callers choose those keys, so they are neither likely elsewhere nor ours to ship."""
    known = {entry.path: entry.occurrences for entry in catalogue()}
    maps = {path for path, found in known.items() if any(one.kind is ValueKind.MAP for one in found)}
    below = [path for path in open_fields() if path.rpartition(".")[0] in maps]
    assert below
    assert [path for path in below if not any(found.operations for found in known[path])] == []


def test_the_declared_fields_leave_room() -> None:
    """A thousand of the index's 5,000 fields and more are left for users' own."""
    assert 2_500 < TYPED.root.count() < 4_000


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_both_sides_of_every_hard_conflict_have_a_place(strategy: Strategy) -> None:
    """As a scalar, an object, a list of both: the event is restored, and each value is found as documented."""
    shape = SHAPES[strategy]
    normalizer = Normalizer(shape)
    conflicts = hard_conflicts()
    assert len(conflicts) > 400
    for path in conflicts:
        for record in conflicting(path):
            source = codec.decode(codec.encode(normalizer.document(Event(record, {})).source))
            assert {(found.field, found.value) for found in locate(source)} <= _expected(record, shape)
            assert restore(source) == record


def _expected(record: dict[str, Any], shape: Shape) -> set[tuple[str | None, Any]]:
    """Every scalar of a record under each of the fields that its path is documented to have."""
    return {(field, value) for path, value in _scalars(record, "") for field in shape.fields(path)}


def _scalars(value: Any, path: str) -> list[tuple[str, Any]]:
    if isinstance(value, dict):
        return [
            found for name, child in value.items() for found in _scalars(child, f"{path}.{name}" if path else name)
        ]
    if isinstance(value, list):
        return [found for element in value for found in _scalars(element, path)]
    return [(path, value)]


def test_a_conflict_listed_both_ways_has_fields_for_both() -> None:
    """Its scalars are in a field below it, where the fields of its objects are."""
    listed = set(open_fields())
    both = [path for path in hard_conflicts() if path in listed and TYPED.fields(path) != (f"overflow.{path}",)]
    assert both
    for path in both:
        source = Normalizer(TYPED).document(Event(at(path, "text"), {})).source
        assert "overflow" not in source


def test_the_key_of_the_general_rule_can_be_an_object() -> None:
    """Where an object has a `value` that is an object itself, the scalar beside it is found in overflow."""
    paths = ["requestParameters.odd", "requestParameters.odd.value.deep", "requestParameters.odd.value"]
    for extra in (paths[:2], paths):
        shape = build("typed", load_rules(), extra)
        for value in ("text", ["text", 1], {"value": {"deep": "x"}}, {"value": "text"}, ["text", {"value": "x"}]):
            record = {"requestParameters": {"odd": value}}
            source = Normalizer(shape).document(Event(record, {})).source
            assert restore(source) == record


def test_a_named_rule_goes_before_the_general_one() -> None:
    """The path keeps the key that its own rule chose."""
    extra = ["requestParameters.domainName", "requestParameters.domainName.deeper"]
    assert build("typed", load_rules(), extra).fields("requestParameters.domainName") == (
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
    """The command line's answer names the fields that a scalar at the path is found under."""
    assert list(describe(path, SHAPES[strategy])["fields"]) == fields


def test_only_names_are_shipped() -> None:
    """Every path begins with an open object."""
    assert {entry.path.partition(".")[0] for entry in catalogue()} == set(OPEN_OBJECTS)


def test_the_command_prints_a_line_for_each_path(capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    """Known or not, in the order given, under the strategy asked for."""
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
