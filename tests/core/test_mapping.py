"""The index set-up: what is declared fits the budget, and nothing else is ever mapped."""

from __future__ import annotations

import os
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.errors import MappingError, RulesError
from cloudtrail_elasticsearch.core.mapping import TOTAL_FIELDS_LIMIT, IndexPattern, event_mappings, template
from cloudtrail_elasticsearch.core.rules import load_rules
from cloudtrail_elasticsearch.core.shape import STRATEGIES, build, read_fields

NOVEMBER = datetime(2026, 11, 5, tzinfo=UTC)


@pytest.mark.parametrize("engine", ["elasticsearch", "opensearch"])
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_nothing_is_mapped_by_arrival(engine: Any, strategy: Any) -> None:
    """No dynamic mapping, no guessing of dates or numbers, and the declared fields within the limit."""
    made = template(IndexPattern("cloudtrail-%Y.%m"), build(strategy, load_rules()), engine)
    mappings = made["template"]["mappings"]
    assert mappings["dynamic"] is False
    assert mappings["date_detection"] is False
    assert mappings["numeric_detection"] is False
    assert made["template"]["settings"]["index"]["mapping"]["total_fields"]["limit"] == TOTAL_FIELDS_LIMIT == 5000
    assert _count(mappings) < TOTAL_FIELDS_LIMIT


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_documents_are_kept_in_an_order_in_which_they_compress(strategy: Any) -> None:
    """Equal services and operations side by side; every field of the order is there to be sorted by."""
    made = template(IndexPattern("cloudtrail-%Y.%m"), build(strategy, load_rules()), "elasticsearch")
    settings, properties = made["template"]["settings"]["index"], made["template"]["mappings"]["properties"]
    assert settings["codec"] == "best_compression"
    assert settings["sort"]["field"] == ["eventSource", "eventName", "@timestamp"]
    assert all("doc_values" not in properties[name] for name in settings["sort"]["field"])
    assert properties["requestID"] == {"type": "keyword", "doc_values": False}


def _count(mapping: dict[str, Any]) -> int:
    return sum(1 + _count(child) for child in mapping.get("properties", {}).values())


def test_the_budget_is_kept() -> None:
    """More declared fields than the limit are refused before the server would."""
    extra = [f"requestParameters.field{number}" for number in range(TOTAL_FIELDS_LIMIT)]
    with pytest.raises(MappingError, match=r"total_fields\.limit.*shorten the fields file"):
        event_mappings(build("typed", load_rules(), extra), "opensearch")


def test_a_field_of_the_users_can_be_an_object_too() -> None:
    """Its scalars are found below it, beside the fields of its objects."""
    shape = build("typed", load_rules(), ["requestParameters.mine", "requestParameters.mine.deeper"])
    assert shape.fields("requestParameters.mine") == ("requestParameters.mine.value",)
    assert shape.fields("requestParameters.mine.deeper") == ("requestParameters.mine.deeper",)


def test_the_users_fields_file_is_read(tmp_path: Path) -> None:
    """One path to a line, comments and blank lines left out; another line is named."""
    file = tmp_path / "fields.txt"
    file.write_text("# mine\nrequestParameters.mine  # why\n\nresponseElements.yours\n")
    assert read_fields(file) == ("requestParameters.mine", "responseElements.yours")
    file.write_text("eventName\n")
    with pytest.raises(RulesError, match="'eventName' is not a path below"):
        read_fields(file)


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
    """A pattern takes the event's own time, a fixed name none, and what has no time has a place too."""
    index = IndexPattern(pattern)
    assert index.name(NOVEMBER) == name
    assert index.name(None) == undated
    assert index.matches == matches


@pytest.mark.parametrize("pattern", ["", "%Y", "Upper", "a b", "_a", "-a", "a/%Y", "a-%H", "a-%", "a,b", "a*"])
def test_a_name_that_no_server_takes_is_refused(pattern: str) -> None:
    """The sentence says what a name may hold."""
    with pytest.raises(MappingError, match="index pattern"):
        IndexPattern(pattern)


def test_every_process_names_a_shape_alike() -> None:
    """Whatever order its sets have: else a window that is loaded would be loaded again by the next worker."""
    code = (
        "from cloudtrail_elasticsearch.core.rules import load_rules\n"
        "from cloudtrail_elasticsearch.core.shape import build\n"
        "print(build('typed', load_rules()).fingerprint)"
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
