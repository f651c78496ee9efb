"""The index set-up: the declared fields fit the budget, and nothing else is ever mapped."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cloudtrail_elasticsearch.cli import main
from cloudtrail_elasticsearch.core.documents.declared_fields import read_fields
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.errors import MappingError, RulesError
from cloudtrail_elasticsearch.core.index.event_template import (
    TOTAL_FIELDS_LIMIT,
    make_event_mappings,
    make_event_settings,
    make_event_template,
)
from cloudtrail_elasticsearch.core.index.index_pattern import OWN_INDICES, IndexPattern

NOVEMBER = datetime(2026, 11, 5, tzinfo=UTC)


@pytest.mark.promise("order-free")
@pytest.mark.parametrize("engine", ["elasticsearch", "opensearch"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_arriving_values_map_nothing(engine: Any, strategy: Any) -> None:
    """Nothing is dynamic, no text is read as a date or number, and the declared fields are within the limit."""
    mappings = make_event_mappings(build_schema(strategy, load_rules()), engine)
    made = make_event_template(IndexPattern("cloudtrail-%Y.%m"), [], mappings["_meta"])
    assert made["template"]["mappings"].items() <= mappings.items()
    assert mappings["dynamic"] is False
    assert mappings["date_detection"] is False
    assert mappings["numeric_detection"] is False
    settings = make_event_settings(mappings["properties"])
    assert settings["index.mapping.total_fields.limit"] == TOTAL_FIELDS_LIMIT == 5000
    assert _count(mappings) < TOTAL_FIELDS_LIMIT


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_documents_are_sorted_for_compression(strategy: Any) -> None:
    """Equal services and operations are adjacent. Every field of the sort order exists and can be sorted."""
    properties = make_event_mappings(build_schema(strategy, load_rules()), "elasticsearch")["properties"]
    settings = make_event_settings(properties)
    assert settings["index.codec"] == "best_compression"
    assert settings["index.sort.field"] == ["eventSource", "eventName", "@timestamp"]
    assert all("doc_values" not in properties[name] for name in settings["index.sort.field"])


@pytest.mark.parametrize("engine", ["elasticsearch", "opensearch"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_random_ids_are_only_searched(engine: Any, strategy: Any) -> None:
    """Events can be sorted and aggregated by all other fields of the envelope, also by ids that events share."""
    properties = make_event_mappings(build_schema(strategy, load_rules()), engine)["properties"]
    only_searched = {name for name, field in properties.items() if "doc_values" in field}
    assert only_searched == {"eventID", "requestID"}
    assert properties["eventID"] == properties["requestID"] == {"type": "keyword", "doc_values": False}


def _count(mapping: dict[str, Any]) -> int:
    return sum(1 + _count(child) for child in mapping.get("properties", {}).values())


def test_too_many_declared_fields_are_rejected() -> None:
    """Before the server would reject them."""
    extra = [f"requestParameters.field{number}" for number in range(TOTAL_FIELDS_LIMIT)]
    with pytest.raises(MappingError, match=r"total_fields\.limit.*Shorten the fields file"):
        make_event_mappings(build_schema("typed", load_rules(), extra), "opensearch")


def test_a_field_of_the_users_can_be_an_object_too() -> None:
    """Its scalars go to a field below it, beside the fields of its objects."""
    schema = build_schema("typed", load_rules(), ["requestParameters.mine", "requestParameters.mine.deeper"])
    assert schema.fields("requestParameters.mine") == ("requestParameters.mine.value",)
    assert schema.fields("requestParameters.mine.deeper") == ("requestParameters.mine.deeper",)


def test_the_users_fields_file_is_read(tmp_path: Path) -> None:
    """One path per line, with comments and blank lines. Any other line is reported."""
    file = tmp_path / "fields.txt"
    file.write_text("# mine\nrequestParameters.mine  # why\n\nresponseElements.yours\n")
    assert read_fields(file) == ("requestParameters.mine", "responseElements.yours")
    file.write_text("eventName\n")
    with pytest.raises(RulesError, match="line 1 is not a path below"):
        read_fields(file)


@pytest.mark.promise("no-duplicates")
@pytest.mark.parametrize(
    ("pattern", "name", "undated", "matches"),
    [
        ("cloudtrail-%Y.%m", "cloudtrail-2026.11", "cloudtrail-undated", ("cloudtrail-*.*", "cloudtrail-undated")),
        ("trail-%Y-%m-%d-eu", "trail-2026-11-05-eu", "trail-eu-undated", ("trail-*-*-*-eu", "trail-eu-undated")),
        ("one", "one", "one", ("one",)),
    ],
)
def test_the_index_follows_from_the_events_time(
    pattern: str, name: str, undated: str, matches: tuple[str, ...]
) -> None:
    """A pattern uses the event's own time, a fixed name does not, and events without a time have an index too."""
    index = IndexPattern(pattern)
    assert index.name(NOVEMBER) == name
    assert index.name(None) == undated
    assert index.matches == matches


@pytest.mark.parametrize("pattern", ["", "%Y", "Upper", "a b", "_a", "-a", "a/%Y", "a-%H", "a-%", "a,b", "a*"])
def test_an_invalid_index_name_is_rejected(pattern: str) -> None:
    """The error lists the allowed characters."""
    with pytest.raises(MappingError, match="index pattern"):
        IndexPattern(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "a\n",
        "a\x00b",
        "a\tb",
        "a\x7f",
        "a\u00a0b",
        "ä-%Y",
        "a..b",
        "a.-%Y..%m",
        "a&b",
        "a;b",
        "a'b",
        "a{b",
        "a%2fb",
    ],
)
def test_an_index_name_with_an_odd_character_is_rejected(pattern: str) -> None:
    """Control characters, blanks, characters with a meaning in URLs, and dots that lead to another path."""
    with pytest.raises(MappingError, match="index pattern"):
        IndexPattern(pattern)


@pytest.mark.promise("ours-alone")
@pytest.mark.parametrize("pattern", OWN_INDICES)
def test_the_loaders_own_indices_are_rejected(pattern: str) -> None:
    """An event there would be read as a cell, a rule or a rejection. Names that only begin alike are allowed."""
    with pytest.raises(MappingError, match=f"matches {pattern}, which holds the loader's own data"):
        IndexPattern(pattern)
    assert IndexPattern(f"{pattern}-%Y").name(NOVEMBER) == f"{pattern}-2026"


@pytest.mark.parametrize("suffix", ["", "%Y", "-%Y", "-%Y.%m.%d", "%Y%Y%Y%Y", "-%d"])
def test_the_longest_index_name_must_fit(suffix: str) -> None:
    """A server allows 255 bytes; the dated and the undated name must fit."""
    longest = max(len(IndexPattern(f"a{suffix}").name(time)) for time in (NOVEMBER, None))
    fits = "a" * (256 - longest) + suffix
    pattern = IndexPattern(fits)
    assert max(len(pattern.name(time)) for time in (NOVEMBER, None)) == 255
    with pytest.raises(MappingError, match=r"gives names of 256 bytes, but a search server accepts at most 255"):
        IndexPattern(f"a{fits}")


@pytest.mark.promise("ours-alone")
@pytest.mark.parametrize(
    ("pattern", "own", "others"),
    [
        ("p-%Y.%m", ["p-2026.11", "p-0001.01", "p-undated"], ["p-2026.13", "p-2026.00", "p-2026.1", "p-2026-11"]),
        ("p-%Y.%m", [], ["p-test-2026.11", "p-2026.11.20", "p-a.b", "p", "q-2026.11", "p-2026.11\n", "p-२०२६.11"]),
        ("p-%d", ["p-01", "p-31", "p-undated"], ["p-00", "p-32", "p-1"]),
        ("p.%Y", ["p.2026"], ["p-2026", "px2026"]),
        ("p", ["p"], ["p-2026", "p-undated"]),
    ],
)
def test_a_pattern_recognises_its_own_names(pattern: str, own: list[str], others: list[str]) -> None:
    """Four digits for the year, two for month and day, no wildcard."""
    index = IndexPattern(pattern)
    assert [name for name in own + others if index.produces(name)] == own


def test_the_template_lists_names_without_wildcards() -> None:
    """A wildcard could match other people's indices."""
    made = make_event_template(IndexPattern("cloudtrail-%Y.%m"), [], {})
    assert made["index_patterns"] == ["cloudtrail-undated"]


@pytest.mark.parametrize("command", ["load", "replay", "explain"])
def test_the_command_rejects_a_bad_index(command: str, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    """Before it contacts a server or reads a file, with the same error as the plan."""
    url = [] if command == "explain" else ["--url", "http://127.0.0.1:9"]
    files = [] if command == "replay" else [str(tmp_path / "missing.json")]
    for index in (*OWN_INDICES, "a\n"):
        assert main([command, *url, "--index", index, *files]) == 2
        assert "The index pattern" in capsys.readouterr().err


@pytest.mark.promise("order-free")
def test_every_process_computes_the_same_fingerprint() -> None:
    """For any order of its sets. Otherwise the next worker would load a loaded window again."""
    code = (
        "from cloudtrail_elasticsearch.core.documents.rules import load_rules\n"
        "from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema\n"
        "print(build_schema('typed', load_rules()).fingerprint)"
    )
    names = {
        subprocess.run(
            [sys.executable, "-c", code],
            env=os.environ | {"PYTHONHASHSEED": seed},
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(names) == 1
