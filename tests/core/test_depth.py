"""Every depth has a place, also if a worker's stack is nearly used up or small."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.documents.displace import displace, seal
from cloudtrail_elasticsearch.core.documents.events import Event, document_id, line_place, parse_line, staged_event
from cloudtrail_elasticsearch.core.documents.explain import explain
from cloudtrail_elasticsearch.core.documents.fast_path import FastPath
from cloudtrail_elasticsearch.core.documents.normalize import Normalizer
from cloudtrail_elasticsearch.core.documents.own_events import is_own_line
from cloudtrail_elasticsearch.core.documents.restore import restore
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.encoding import codec

SCHEMAS = [build_schema(strategy, load_rules()) for strategy in STRATEGIES]
NORMALIZERS = [(Normalizer(schema), FastPath(schema)) for schema in SCHEMAS]
SECRET = hashlib.sha256(b"at the bottom").hexdigest()
FRAMES = 200
"""About as many calls as Airflow makes before an operator's own."""

DEPTHS = [*range(1, 56, 6), *range(56, 66), *range(95, 106), 250, 440, 490, 870, 990, 2_000, 5_000]

KINDS = {
    "objects": ('{"a":', "}"),
    "lists": ("[", "]"),
    "mixed": ('{"a":[', "]}"),
    "beside": ('{"a":1,"b":[', "]}"),
}
PLACES = {
    "an open object": '"requestParameters":{"a":%s}',
    "an undeclared name": '"nobodyKnows":%s',
    "a declared field": '"eventName":%s',
    "a declared object": '"userIdentity":{"sessionContext":%s}',
    "a list of objects": '"resources":[{"ARN":"a"},%s]',
}


def deep(kind: str, depth: int) -> str:
    """Return a value with this many levels; with `mixed`, of at least this many."""
    opening, closing = KINDS[kind]
    times = -(-depth // (1 if kind in {"objects", "lists"} else 2))
    return f'{opening * times}"at the bottom"{closing * times}'


def line_of(place: str, value: str) -> bytes:
    event = (
        f'{{"eventID":"86f3858e-4df0-4e40-9f05-38cfbe2a9c09","eventTime":"2026-11-20T01:02:03Z",{place % value}}}'
    )
    return event.encode()


def staged(line: bytes) -> bytes:
    return (
        b'{"lookup":{"EventId":"86f3858e-4df0-4e40-9f05-38cfbe2a9c09","EventTime":"2026-11-20T01:02:03+00:00"},"event":%b}'
        % line
    )


def check(line: bytes) -> None:
    """Take a line's event through every way of a load."""
    event = parse_line(line)
    assert isinstance(event, Event)
    around = parse_line(staged(line))
    assert isinstance(around, Event)
    assert around.record == event.record
    assert line_place(line)[0] == line_place(staged(line))[0] == document_id(event)
    assert staged_event(staged(line)).id == event.record["eventID"]
    assert not is_own_line(line + b"cloudtrail-elasticsearch/")
    for normalizer, fast in NORMALIZERS:
        source = codec.decode(codec.encode(normalizer.document(event).source))
        assert restore(source) == event.record
        assert codec.encode(restore(source)) == codec.encode(event.record)
        assert SECRET in str(source.get("unindexed")) or "at the bottom" in str(source)
        moved = displace(displace(source, ["requestParameters", "eventName"]), ["overflow"])
        assert restore(moved) == restore(seal(source)) == restore(seal(moved)) == event.record
        found = explain("", "", source)["found"]
        assert any("at the bottom" in str(each.get("stands_for", each["value"])) for each in found)
        made = fast.document(line)
        assert made is None or restore(codec.decode(made.source)) == event.record
        assert normalizer.public_line(event, line) == line


def calling(depth: int, work: Callable[[], None]) -> None:
    """Run a function below this many nested calls."""
    if depth:
        calling(depth - 1, work)
    else:
        work()


def in_thread(stack: int, work: Callable[[], None]) -> None:
    """Run a function in a thread with a stack of this many bytes (0: the default), below many nested calls."""
    failures: list[BaseException] = []

    def run() -> None:
        try:
            calling(FRAMES, work)
        except BaseException as failure:  # noqa: BLE001 - in a thread it would only be printed
            failures.append(failure)

    before = threading.stack_size(stack)
    try:
        thread = threading.Thread(target=run)
        thread.start()
    finally:
        threading.stack_size(before)
    thread.join()
    if failures:
        raise failures[0]


@pytest.mark.slow
@pytest.mark.promise("findable")
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("place", PLACES)
def test_every_depth_has_a_place(kind: str, place: str) -> None:
    """A bare record and a line of LookupEvents are found, displaced, sealed and restored exactly."""

    def work() -> None:
        for depth in DEPTHS:
            check(line_of(PLACES[place], deep(kind, depth)))

    in_thread(0, work)


@pytest.mark.slow
@pytest.mark.promise("bounded")
@pytest.mark.parametrize("stack", [256 * 1024, 512 * 1024, 0])
def test_a_small_stack_is_enough(stack: int) -> None:
    """No depth overflows it, which would end the process."""

    def work() -> None:
        for place in PLACES.values():
            for kind in KINDS:
                for depth in (60, 101, 250, 900):
                    check(line_of(place, deep(kind, depth)))
        check(line_of(PLACES["an open object"], deep("mixed", 5_000)))

    in_thread(stack, work)


@pytest.mark.parametrize("stack", [256 * 1024, 0])
def test_a_deep_text_in_an_event_stays_findable(stack: int) -> None:
    """Rules parse some texts, also if the text is deeply nested."""
    path = "requestParameters.policyDocument"

    def work() -> None:
        for depth in (60, 101, 900):
            for kind in KINDS:
                text = codec.encode(deep("objects", 1)[:-16] + deep(kind, depth) + "}").decode()
                check(line_of(f'"requestParameters":{{"{path.partition(".")[2]}":%s}}', text))

    in_thread(stack, work)


@pytest.mark.promise("reversible")
def test_a_deep_document_is_restored() -> None:
    """Another program, or an older version, can have written entries with deep values."""
    value = deep("mixed", 800)
    source: Any = {"unindexed": [{"json": f'{{"at":["mine"],"value":{value}}}'}], "eventName": codec.decode(value)}
    assert codec.encode(restore(source)) == f'{{"eventName":{value},"mine":{value}}}'.encode()


@pytest.mark.promise("bounded")
def test_the_cost_of_depth_is_linear() -> None:
    """A text of a million levels is read too."""
    line = line_of(PLACES["an open object"], deep("lists", 300_000))
    event = parse_line(line)
    assert isinstance(event, Event)
    source = NORMALIZERS[0][0].document(event).source
    assert [entry["sha256"] for entry in source["unindexed"]] == [[], [SECRET]]
    assert restore(source) == event.record
