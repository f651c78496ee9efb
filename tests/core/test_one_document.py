"""One document, whichever source: an event from LookupEvents and from a trail's file. ADR-0019"""

from __future__ import annotations

import itertools
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core.documents.events import Event, line_place, parse_line
from cloudtrail_elasticsearch.core.documents.fast_path import FastPath
from cloudtrail_elasticsearch.core.documents.normalize import Normalizer
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES, Strategy
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.documents.times import format_second
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.loading.loader import Loader, LoadSettings
from tests.core.strategies import events
from tests.core.test_fast_path import EVENT, LOOKUP
from tests.core.test_load import Server
from tests.untimed import drop_times

SCHEMAS = {strategy: build_schema(strategy, load_rules()) for strategy in STRATEGIES}
FAST = {strategy: FastPath(schema) for strategy, schema in SCHEMAS.items()}
LOOKUPS: list[dict[str, Any]] = [
    LOOKUP,
    {},
    {"Username": "José"},
    {"EventId": "00000000-0000-0000-0000-000000000001", "EventTime": "2020-02-03T04:05:06+00:00"},
    {"EventName": "Other", "Resources": [{"ResourceName": "x" * 40_000}, 7], "Unknown": {"a": [1]}},
]


def place(strategy: Strategy, line: bytes) -> tuple[str, str | None, Any]:
    """Return the id, the day and the document of a line: the walk's, which the fast path's must equal."""
    event = parse_line(line)
    assert isinstance(event, Event)
    document = Normalizer(SCHEMAS[strategy]).document(event)
    day = None if document.time is None else str(document.time.date())
    source = codec.decode(codec.encode(document.source))
    assert line_place(line) == (document.id, None if document.time is None else format_second(document.time))
    fast = FAST[strategy].document(line)
    if fast is not None:
        assert (fast.id, fast.day, codec.decode(fast.source)) == (document.id, day, source)
    return document.id, day, source


@pytest.mark.promise("order-free")
@given(event=events, lookup=st.sampled_from(LOOKUPS), strategy=st.sampled_from(STRATEGIES))
def test_any_event_has_the_same_document_from_both_sources(
    event: dict[str, Any], lookup: dict[str, Any], strategy: Strategy
) -> None:
    """The same id, the same index and the same document, whatever LookupEvents returned beside the record."""
    bare, staged = codec.encode(event), codec.encode({"lookup": lookup, "event": event})
    assert place(strategy, staged) == place(strategy, bare)


@pytest.mark.promise("order-free")
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_recorded_events_have_the_same_document_from_both_sources(
    strategy: Strategy, recorded_events: list[dict[str, Any]]
) -> None:
    """On the fast path even the same bytes."""
    for event, lookup in zip(recorded_events, itertools.cycle(LOOKUPS)):
        bare, staged = codec.encode(event), codec.encode({"lookup": lookup, "event": event})
        assert place(strategy, staged) == place(strategy, bare)
        one, other = FAST[strategy].document(bare), FAST[strategy].document(staged)
        if one is not None and other is not None:
            assert one == other


PARAMETERS: dict[str, Any] = {
    "bucketName": 'straße/"x"',
    "maxResults": 20,
    "ratio": 1.5,
    "large": 1e21,
    "zero": -0.0,
    "whole": 12345678901234567890123,
    "nothing": None,
    "list": [True, {"a": ""}],
}
RECORD = EVENT | {"requestParameters": PARAMETERS}
SPELLINGS = {
    "compact": json.dumps(RECORD, separators=(",", ":"), ensure_ascii=False),
    "blanks": json.dumps(RECORD, separators=(" , ", " : "), ensure_ascii=False),
    "tabs": json.dumps(RECORD, ensure_ascii=False).replace(", ", ",\t"),
    "escapes": json.dumps(RECORD, separators=(",", ":")).replace("/", "\\/").replace("bucket", "\\u0062ucket"),
    "other order": json.dumps(dict(reversed(RECORD.items())), ensure_ascii=False),
    "numbers": json.dumps(RECORD).replace("1.5", "15.0e-1").replace("1e+21", "1000.0E18"),
}


@pytest.mark.promise("order-free")
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("spelling", SPELLINGS)
def test_the_spelling_of_a_record_does_not_change_its_document(strategy: Strategy, spelling: str) -> None:
    """Blanks, escapes, the notation of fractions and the order of names may differ between the sources."""
    assert json.loads(SPELLINGS[spelling]) == RECORD
    record = SPELLINGS[spelling].encode()
    expected = place(strategy, SPELLINGS["compact"].encode())
    assert place(strategy, record) == expected
    assert place(strategy, b'{"lookup":%b,"event":%b}' % (codec.encode(LOOKUP), record)) == expected


def event(number: int, **changes: Any) -> dict[str, Any]:
    return EVENT | {"eventID": f"00000000-0000-0000-0000-{number:012d}"} | changes


def bare(number: int, **changes: Any) -> bytes:
    return codec.encode(event(number, **changes))


def staged(number: int, **changes: Any) -> bytes:
    return codec.encode({"lookup": LOOKUP | {"Username": f"user {number}"}, "event": event(number, **changes)})


def load(server: Server, strategy: Strategy, lines: list[bytes]) -> None:
    settings = LoadSettings(patience=0.2, longest_pause=0.01, request_items=4, senders=1)
    report = Loader(server, IndexPattern("one"), SCHEMAS[strategy], settings).load(lines)
    assert report.quarantined == 0


NUMBERS = range(9)
ORDERS: dict[str, list[list[bytes]]] = {
    "LookupEvents only": [[staged(number) for number in NUMBERS]],
    "a trail only": [[bare(number) for number in NUMBERS]],
    "LookupEvents, then a trail": [[staged(number) for number in NUMBERS], [bare(number) for number in NUMBERS]],
    "a trail, then LookupEvents": [[bare(number) for number in NUMBERS], [staged(number) for number in NUMBERS]],
    "repeated": [[bare(number) for number in NUMBERS], [staged(number) for number in NUMBERS]] * 2,
    "mixed in one request": [
        [make(number) for number in NUMBERS for make in ((bare, staged) if number % 2 else (staged, bare))]
    ],
    "halves": [[staged(number) for number in range(6)], [bare(number) for number in range(8, 2, -1)]],
}


@pytest.mark.promise("order-free", "no-duplicates")
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("order", ORDERS)
def test_the_index_holds_the_same_documents_in_every_order(strategy: Strategy, order: str) -> None:
    """However often and from whichever source the events were loaded."""
    server, expected = Server(), Server()
    for lines in ORDERS[order]:
        load(server, strategy, lines)
    load(expected, strategy, ORDERS["a trail only"][0])
    assert drop_times(server.documents) == drop_times(expected.documents)
    assert len(server.documents) == len(NUMBERS)


@pytest.mark.promise("order-free")
@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("makers", list(itertools.product((bare, staged), repeat=2)))
def test_a_changed_record_replaces_its_document_whole(strategy: Strategy, makers: Any) -> None:
    """A document of one source keeps nothing of the document that it replaces."""
    first, second = makers
    server, expected = Server(), Server()
    load(server, strategy, [first(1, errorCode="AccessDenied"), first(2)])
    load(server, strategy, [second(1, requestParameters={"nobody": {"knows": 1}})])
    load(expected, strategy, [bare(1, requestParameters={"nobody": {"knows": 1}}), bare(2)])
    assert drop_times(server.documents) == drop_times(expected.documents)


@pytest.mark.promise("order-free")
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_only_lookup_events_identifies_an_object_that_no_file_could_hold(strategy: Strategy) -> None:
    """With none of the names of an event, a trail's file holds no event: it is quarantined from there."""
    identifier, day, source = place(strategy, codec.encode({"lookup": LOOKUP, "event": {"a": 1}}))
    assert (identifier, day) == (LOOKUP["EventId"], "2026-11-20")
    assert source["overflow"] == {"a": 1}
