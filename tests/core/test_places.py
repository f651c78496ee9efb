"""The index of an event: the proof searches the index that the loader writes to, however each parses the line."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core.documents.events import (
    EVENT_NAMES,
    Event,
    content_id,
    document_id,
    event_time,
    line_place,
    parse_line,
)
from cloudtrail_elasticsearch.core.documents.fast_path import FastPath
from cloudtrail_elasticsearch.core.documents.normalize import Normalizer
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.documents.times import parse_time
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern, make_index_lookup

ID = "7f5d0d3e-4b0e-4c43-9f3b-3f1d5a0c9a01"
SCHEMA = build_schema("typed", load_rules())
NORMALIZER, FAST = Normalizer(SCHEMA), FastPath(SCHEMA)

TIMES: list[Any] = [
    "2026-11-20T01:02:03Z",
    "2026-11-20T23:59:59.5-01:00",
    "2027-01-01T00:30:00+01:00",
    "2024-02-29T01:02:03Z",
    "2026-02-29T01:02:03Z",
    "2026-11-20T01:02:60Z",
    "2026-11-20T01:02:03Z\n",
    "2026-11-20t01:02:03z",
    "2026-11-20 01:02:03Z",
    "0001-01-01T00:00:00+02:00",
    "0099-12-31T23:59:59Z",
    "9999-12-31T23:59:59-02:00",
    "20261120T010203Z",
    "2026-11-20",
    "",
    None,
    1_790_000_000,
    ["2026-11-20T01:02:03Z"],
]
times = st.one_of(st.sampled_from(TIMES), st.datetimes().map(lambda moment: f"{moment.isoformat()}Z"))
patterns = st.sampled_from(["a-%Y", "a-%Y.%m", "a-%d-%m-%Y-z", "a-%m", "fixed"]).map(IndexPattern)


@pytest.mark.promise("nothing-lost")
@given(
    time=times,
    stamp=times,
    looked_up=times,
    identifier=st.sampled_from([ID, None, "x", 7]),
    others=st.dictionaries(
        st.sampled_from(["eventName", "requestParameters", "é"]), st.sampled_from(["x", {}, 1])
    ),
    pattern=patterns,
)
@example(TIMES[6], None, None, ID, {}, IndexPattern("a-%Y.%m"))
@example(None, TIMES[0], TIMES[0], None, {}, IndexPattern("a-%Y"))
def test_the_proof_searches_the_index_that_the_loader_writes_to(
    time: Any, stamp: Any, looked_up: Any, identifier: Any, others: dict[str, Any], pattern: IndexPattern
) -> None:
    """On the fast path and on the walk, for a staged line and a bare one: the same document in the same index."""
    record = {"eventID": identifier, "eventTime": time, "@timestamp": stamp, **others}
    event = {name: value for name, value in record.items() if value is not None}
    index_of = make_index_lookup(pattern)
    for line in (
        codec.encode(event),
        codec.encode({"lookup": {"EventId": ID, "EventTime": looked_up}, "event": event}),
        json.dumps({"event": event, "lookup": {}}, indent=1).encode(),
    ):
        read = parse_line(line)
        name, second = line_place(line)
        day = second and second[:10]
        if not event.keys() & set(EVENT_NAMES) and b"EventId" not in line:
            assert (name, second) == (content_id(line), None)
            assert FAST.document(line) is None
            continue
        assert isinstance(read, Event)
        document = NORMALIZER.document(read)
        assert name == document.id == document_id(read)
        assert index_of(day) == pattern.name(document.time) == pattern.name(event_time(read))
        assert parse_time(second) == (document.time and document.time.replace(microsecond=0))
        fast = FAST.document(line)
        if fast is not None:
            assert (fast.id, index_of(fast.day)) == (name, index_of(day))


@pytest.mark.parametrize("line", [b"not json", b"[1]", b'{"lookup":{},"event":7}', b"\xff"])
def test_the_proof_searches_the_quarantine_for_a_line_without_an_event(line: bytes) -> None:
    """It has the quarantine's id and no time."""
    assert line_place(line) == (content_id(line), None)
