"""``make detections`` on real servers: rules of our own find their events, and differences have their reasons."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson
import pytest
from sigma.processing.pipeline import ProcessingPipeline

from cloudtrail_elasticsearch.core.errors import RejectedRequestError
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.detections.compare import Outcome, Result, compare_rule
from devstack.detections.elastic_rules import convert_kql_rule
from devstack.detections.index import LoadedEvents, read_events
from devstack.detections.rules import Rule
from devstack.detections.security_analytics import LOG_TYPE
from devstack.detections.security_analytics import RULES as SECURITY_RULES
from devstack.detections.sets import RuleSets, read_rules, run_sets
from devstack.detections.sigma_rules import convert_sigma_rule, read_pipeline
from tests.conftest import MAIN_SERVERS

from .events import EVENTS, EXPECTED

RULES = Path(__file__).parent / "rules"


@pytest.fixture(
    scope="module",
    params=[pytest.param(name, marks=pytest.mark.xdist_group(f"detections-{name}")) for name in MAIN_SERVERS],
)
def search_url(request: pytest.FixtureRequest, service: Callable[[str], str]) -> str:
    """The URL of a main search server; one worker runs all of its tests here, because they share an index."""
    return service(request.param)


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    file = tmp_path_factory.mktemp("events") / "events.ndjson"
    file.write_bytes(b"\n".join(map(orjson.dumps, EVENTS)))
    return read_events(file.parent)


@pytest.fixture(scope="module")
def events(search_url: str, lines: dict[str, bytes]) -> Iterator[LoadedEvents]:
    """The events in one index for all tests: they only add aliases of their own."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    loaded = LoadedEvents.load(connect(SearchSettings.from_url(search_url)), name, lines)
    yield loaded
    loaded.index.delete()


def compare_sigma(
    detection: dict[str, Any], events: LoadedEvents, pipeline: ProcessingPipeline | None = None
) -> Outcome:
    document = {"title": "Test", "logsource": {"product": "aws", "service": "cloudtrail"}, "detection": detection}
    engine = events.index.server.engine
    return compare_rule(convert_sigma_rule("test", document, engine, pipeline or ProcessingPipeline()), events)


def name_events(identifiers: Iterable[str], events: LoadedEvents) -> set[str]:
    """Return the events' own ids: a document has another id, because these are no UUIDs."""
    return {events.records[identifier]["eventID"] for identifier in identifiers}


def test_each_rule_of_our_own_finds_its_events(events: LoadedEvents) -> None:
    """Found by the server, and by the reference: neither can hide a mistake of the other."""
    rules = {rule.name: rule for rule in read_rules(RULES, events, ProcessingPipeline())}
    assert rules.keys() == EXPECTED.keys()
    for name, rule in rules.items():
        assert isinstance(rule, Rule)
        assert name_events(events.search(rule.query), events) == EXPECTED[name], name
        assert {record["eventID"] for record in EVENTS if rule.matches(record)} == EXPECTED[name], name


def test_a_set_has_the_outcome_of_each_rule(events: LoadedEvents) -> None:
    ((title, outcomes, notes),) = run_sets(RuleSets((RULES,)), events)
    assert (title, notes) == (str(RULES), [])
    assert {outcome.name: outcome.expected for outcome in outcomes} == {
        name: len(found) for name, found in EXPECTED.items()
    }
    assert {(outcome.result, outcome.reasons, outcome.missing) for outcome in outcomes} == {(Result.EQUAL, (), ())}


def test_a_field_that_is_not_mapped_is_the_reason(events: LoadedEvents) -> None:
    """The value is below ``overflow``, so a search under the rule's name finds nothing."""
    chosen = {"part": {"eventName": "TagThing", "requestParameters.neverDeclared": "yes"}, "condition": "part"}
    assert compare_sigma(chosen, events) == Outcome(
        "test",
        Result.TOO_FEW,
        expected=1,
        found=0,
        reasons=("requestParameters.neverDeclared: not mapped",),
        missing=("requestParameters.neverDeclared",),
    )


def test_a_field_of_an_exception_that_is_not_mapped_finds_too_many(events: LoadedEvents) -> None:
    chosen = {
        "part": {"eventName": "TagThing"},
        "but": {"requestParameters.neverDeclared": "yes"},
        "condition": "part and not but",
    }
    outcome = compare_sigma(chosen, events)
    assert (outcome.result, outcome.expected, outcome.found) == (Result.TOO_MANY, 0, 1)
    assert outcome.reasons == ("requestParameters.neverDeclared: not mapped",)


def test_an_object_is_the_reason_if_a_rule_reads_it_as_a_text(events: LoadedEvents) -> None:
    outcome = compare_sigma(
        {"part": {"userIdentity.sessionContext|contains": "admin"}, "condition": "part"}, events
    )
    assert (outcome.result, outcome.expected) == (Result.TOO_FEW, 2)
    assert outcome.reasons == ("userIdentity.sessionContext: an object, no field of its own",)


def test_case_is_the_reason_if_only_case_differs(events: LoadedEvents) -> None:
    outcome = compare_sigma(
        {"part": {"tlsDetails.cipherSuite|startswith": "tls_aes"}, "condition": "part"}, events
    )
    assert (outcome.result, outcome.expected, outcome.found) == (Result.TOO_FEW, 1, 0)
    assert outcome.reasons == ("tlsDetails.cipherSuite: different case (keyword)",)


def test_a_pipeline_changes_the_searched_field(events: LoadedEvents, tmp_path: Path) -> None:
    """Networks are searched in ``source.ip``, because ``sourceIPAddress`` also holds names of services."""
    detection = {"part": {"sourceIPAddress|cidr": "198.51.100.0/24"}, "condition": "part"}
    without = compare_sigma(detection, events)
    assert (without.result, without.expected) == (Result.TOO_FEW, 3)
    file = tmp_path / "pipeline.yml"
    file.write_text(
        "name: ours\ntransformations:\n"
        "  - id: addresses\n    type: field_name_mapping\n    mapping:\n      sourceIPAddress: source.ip\n"
    )
    assert compare_sigma(detection, events, read_pipeline(file)) == Outcome("test", Result.EQUAL, 3, 3)


def test_a_comparison_of_two_fields_is_not_run(events: LoadedEvents) -> None:
    chosen = {"part": {"userIdentity.userName|fieldref": "requestParameters.userName"}, "condition": "part"}
    outcome = compare_sigma(chosen, events)
    assert outcome.result is Result.NOT_RUN
    assert "field references" in outcome.reasons[0]


def test_kql_of_a_field_that_is_not_mapped(events: LoadedEvents) -> None:
    query = "event.action: TagThing and requestParameters.neverDeclared: *"
    outcome = compare_rule(convert_kql_rule("test", query, events.fields), events)
    assert (outcome.result, outcome.reasons) == (
        Result.TOO_FEW,
        ("requestParameters.neverDeclared: not mapped",),
    )


def test_kql_that_the_server_rejects_is_not_equal(events: LoadedEvents) -> None:
    """Objects in lists are not nested in the mapping, so a query for one object of a list is rejected."""
    outcome = compare_rule(convert_kql_rule("test", "resources: { type: a }", events.fields), events)
    assert outcome.result is Result.REJECTED
    assert outcome.reasons[0].startswith("the server rejects it: ")


def test_a_comparison_that_the_server_rejects_hides_no_difference(events: LoadedEvents) -> None:
    """The rule as a whole is searched and finds too few; only the search for its reasons is rejected."""
    rule = convert_kql_rule("test", "requestParameters.neverDeclared: yes", events.fields)
    assert isinstance(rule, Rule)
    rejected = replace(rule.comparisons[0], query={"nested": {"path": "resources", "query": {"match_all": {}}}})
    outcome = compare_rule(replace(rule, comparisons=(rejected,)), events)
    assert (outcome.result, outcome.expected, outcome.found) == (Result.TOO_FEW, 1, 0)
    assert outcome.reasons[0].startswith("requestParameters.neverDeclared: the server rejects it alone")


def test_aliases_of_security_analytics(events: LoadedEvents, tmp_path: Path) -> None:
    """Its rules search the aliases that could be put; others are reported with the reason."""
    log_type = tmp_path / LOG_TYPE
    log_type.parent.mkdir(parents=True)
    aliases = {
        "eventName": "security.event_name",
        "requestParameters.neverDeclared": "security.never_declared",
        "resources[].ARN": "security.arn",
    }
    log_type.write_bytes(
        orjson.dumps({"mappings": [{"raw_field": raw, "ecs": name} for raw, name in aliases.items()]})
    )
    folder = tmp_path / SECURITY_RULES
    folder.mkdir(parents=True)
    (folder / "trail_stopped.yml").write_bytes((RULES / "trail_stopped.yml").read_bytes())
    ((_, (outcome,), notes),) = run_sets(RuleSets(security_analytics=tmp_path), events)
    assert (outcome.result, outcome.expected) == (Result.EQUAL, 2)
    assert notes == [
        "2 of 3 aliases can be put",
        "1 of the 1 aliases that the rules need can be put",
        "  not put: security.never_declared -> requestParameters.neverDeclared: the mapping has no such field",
    ]
    found = events.search({"term": {"security.event_name": "StopLogging"}})
    assert name_events(found, events) == {"trail-stopped"}


def test_an_alias_below_a_field_cannot_be_put(events: LoadedEvents) -> None:
    with pytest.raises(RejectedRequestError):
        events.put_alias("eventName.below", "eventSource")
