"""The indices that a pattern uses, on the real servers: those of its events, and no others."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import date, timedelta
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.errors import MappingError, RejectedRequestError
from cloudtrail_elasticsearch.core.index.event_template import PRIORITY, make_event_mappings, make_event_template
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.index.templates import EventTemplate, read_templates
from cloudtrail_elasticsearch.core.loading.loader import Loader, LoadSettings
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings

SCHEMA = build_schema("flattened", load_rules())
QUICK = LoadSettings(patience=5, longest_pause=0.1)
DAYS = ["2026-10-05T01:02:03Z", "2026-11-20T01:02:03Z", "2026-11-21T01:02:03Z"]


@pytest.fixture
def server(search_url: str) -> Any:
    return connect(SearchSettings.from_url(search_url))


@pytest.fixture
def name(server: Any, unique_index_prefix: str) -> Iterator[str]:
    yield unique_index_prefix
    for index in indices(server, unique_index_prefix):
        server.request("DELETE", f"/{index}")
    for made in read_templates(server, ""):
        if unique_index_prefix in made:
            with contextlib.suppress(RejectedRequestError):
                server.request("DELETE", f"/_index_template/{made}")


def indices(server: Any, prefix: str) -> list[str]:
    return sorted(server.request("GET", f"/{prefix}*?filter_path=*.settings.index.uuid"))


def prepared(server: Any, pattern: str, settings: LoadSettings = QUICK) -> Loader:
    loader = Loader(server, IndexPattern(pattern), SCHEMA, settings)
    loader.prepare()
    return loader


def events(first: int, count: int = 6) -> list[bytes]:
    """Return events of three days and, every fourth, without a time."""
    return [
        codec.encode(
            {"eventID": f"40000000-0000-0000-0000-{number:012d}"}
            | ({} if number % 4 == 3 else {"eventTime": DAYS[number % 3]})
        )
        for number in range(first, first + count)
    ]


def held(loader: Loader, lines: list[bytes]) -> int:
    return loader.count_held(lines).indexed


def state(server: Any, index: str) -> Any:
    """Return everything of an index: settings, mapping, aliases and documents."""
    server.request("POST", f"/{index}/_refresh")
    found = server.request("POST", f"/{index}/_search", b'{"size": 100, "version": true, "sort": ["_doc"]}')
    return server.request("GET", f"/{index}"), found["hits"]["hits"]


PAIRS = [
    ("{}-%Y", "{}-%Y.%m"),
    ("{}-%Y.%m", "{}-test-%Y.%m"),
    ("{}-%Y%m", "{}-%Y"),
    ("{}", "{}-%Y"),
    ("{}-%Y.%m", "{}-%Y.%m.%d"),
    ("{}-%Y-%m", "{}-%m-%Y"),
    ("{}-%d", "{}-%m.%d"),
    ("{}-%Y-a", "{}-%Y-a-%m"),
]


@pytest.mark.promise("ours-alone")
@pytest.mark.parametrize("pair", PAIRS)
def test_overlapping_patterns_do_not_count_each_other_s_events(
    server: Any, name: str, pair: tuple[str, str]
) -> None:
    """Each counts its own events; if its own indices are deleted, it counts none."""
    one, other = (IndexPattern(pattern.format(name)) for pattern in pair)
    lines = {one: events(0), other: events(100)}
    loaders = {pattern: prepared(server, pattern.text) for pattern in (one, other)}
    shared = {one.name(None)} & {other.name(None)}
    loaders[one].load(lines[one])
    assert held(loaders[other], lines[other]) == 0
    loaders[other].load(lines[other])
    assert all(held(loaders[pattern], lines[pattern]) == 6 for pattern in lines)
    assert held(loaders[one], lines[other]) == held(loaders[other], lines[one]) == (1 if shared else 0)
    for mine, theirs in ((one, other), (other, one)):
        for index in set(indices(server, name)) - shared:
            if mine.produces(index) and not theirs.produces(index):
                server.request("DELETE", f"/{index}")
        assert held(loaders[mine], lines[mine]) == (1 if shared else 0)
        assert held(loaders[theirs], lines[theirs]) == (6 if mine is one else int(bool(shared)))


@pytest.mark.promise("ours-alone")
def test_two_patterns_can_share_an_index_name(server: Any, name: str) -> None:
    """A server rejects two templates for it, so the first pattern's template lists it, and both are loaded."""
    for patterns in (("{}-undated", "{}-%Y.%m"), ("{}-a-%Y", "{}-a-2026")):
        loaders = [prepared(server, pattern.format(name)) for pattern in patterns]
        for loader in (*loaders, *loaders[::-1]):
            loader.load(events(0))
            assert held(loader, events(0)) == 6


@pytest.mark.promise("ours-alone")
def test_a_pattern_without_an_index_has_no_event(server: Any, name: str) -> None:
    """A presence check of a pattern without a load finds nothing in another pattern's indices."""
    prepared(server, f"{name}-%Y.%m").load(events(0))
    asked = Loader(server, IndexPattern(f"{name}-%Y"), SCHEMA, QUICK)
    assert held(asked, [line for line in events(0) if b"eventTime" in line]) == 0


@pytest.mark.promise("ours-alone")
@pytest.mark.parametrize(
    ("pattern", "alike"),
    [
        ("{}-%Y.%m", "{}-test-2026.11"),
        ("{}-%Y.%m", "{}-2026.11.20"),
        ("{}-%Y.%m", "{}-2026.13"),
        ("{}-%Y.%m", "{}-a.b"),
        ("{}-%Y", "{}-2026.11"),
        ("{}-%Y%m", "{}-2026"),
        ("{}", "{}-2026"),
        ("{}-%Y.%m", "{}-2026.12"),
    ],
)
def test_an_index_with_a_similar_name_stays_unchanged(server: Any, name: str, pattern: str, alike: str) -> None:
    """Settings, mapping, ``_meta`` and documents; even if the pattern could name it, unless events go there."""
    theirs = alike.format(name)
    content = {"mappings": {"_meta": {"owner": "somebody"}, "properties": {"eventName": {"type": "long"}}}}
    server.request("PUT", f"/{theirs}", codec.encode(content))
    server.request("PUT", f"/{theirs}/_doc/1?refresh=true", b'{"eventName": 7, "mine": "x"}')
    before = state(server, theirs)
    loader = prepared(server, pattern.format(name))
    loader.load(events(0))
    assert held(loader, events(0)) == 6
    prepared(server, pattern.format(name)).replay()
    assert state(server, theirs) == before


@pytest.mark.promise("ours-alone")
def test_indices_of_other_patterns_stay_unchanged(server: Any, name: str) -> None:
    """A pattern's new fields are added to its own indices, old ones too, and to no others."""
    monthly, daily = f"{name}-%Y.%m", f"{name}-%Y.%m.%d"
    for pattern in (monthly, daily):
        loader = Loader(server, IndexPattern(pattern), build_schema("typed", load_rules()), QUICK)
        loader.prepare()
        loader.load(events(0))
    longer = build_schema("typed", load_rules(), ["requestParameters.mine"])
    Loader(server, IndexPattern(monthly), longer, QUICK).prepare()
    has_field = {
        index: "mine" in found["mappings"]["properties"]["requestParameters"]["properties"]
        for index, found in server.request("GET", f"/{name}*").items()
    }
    assert has_field == {index: IndexPattern(monthly).produces(index) for index in has_field}
    assert sum(has_field.values()) == 3


def test_a_pattern_can_change_from_monthly_to_daily_names(server: Any, name: str) -> None:
    """Even if an earlier version wrote its template with wildcards, which is replaced."""
    monthly, daily = f"{name}-%Y.%m", f"{name}-%Y.%m.%d"
    old = {
        "index_patterns": [f"{name}-*.*", f"{name}-undated"],
        "priority": 517,
        "template": {"mappings": make_event_mappings(SCHEMA, server.engine)},
        "_meta": make_event_mappings(SCHEMA, server.engine)["_meta"],
    }
    server.request("PUT", f"/_index_template/cloudtrail-elasticsearch-{name}-y.m", codec.encode(old))
    server.request("PUT", f"/{name}-2026.11")
    assert prepared(server, daily).load(events(0)).indexed == 6
    loader = prepared(server, monthly)
    listed = read_templates(server)
    assert listed[IndexPattern(monthly).template].names == {f"{name}-2026.11"}
    assert loader.load(events(0)).read == 6
    listed = read_templates(server)
    assert listed[IndexPattern(monthly).template].names == {f"{name}-2026.10", f"{name}-2026.11"}
    assert listed[IndexPattern(daily).template].names == {
        f"{name}-2026.10.05",
        f"{name}-2026.11.20",
        f"{name}-2026.11.21",
        f"{name}-undated",
    }
    assert held(loader, events(0)) == 6


def test_an_index_that_is_deleted_during_a_load_is_created_again(server: Any, name: str) -> None:
    """With the whole mapping, whichever document comes first."""
    loader = prepared(server, f"{name}-%Y.%m")
    loader.load(events(0))
    server.request("DELETE", f"/{name}-2026.11")
    loader.load(events(100))
    mappings = server.request("GET", f"/{name}-2026.11")[f"{name}-2026.11"]["mappings"]
    assert mappings["_meta"] == make_event_mappings(SCHEMA, server.engine)["_meta"]
    assert str(mappings["dynamic"]).lower() == "false"
    assert held(loader, events(100)) == 6


def test_two_loaders_create_the_same_indices_at_once(server: Any, name: str) -> None:
    """None is mapped dynamically, none is lost, and the template lists every name."""
    days = [date(2026, 1, 1) + timedelta(days=number) for number in range(8)]
    lines = [
        codec.encode({"eventID": f"50000000-0000-0000-0000-{number:012d}", "eventTime": f"{day}T01:02:03Z"})
        for number, day in enumerate(days)
    ]
    loaders = [prepared(server, f"{name}-%Y.%m.%d") for _ in range(4)]
    orders = [lines, lines[::-1], lines[4:] + lines[:4], lines[::2] + lines[1::2]]
    with ThreadPoolExecutor(4) as pool:
        reports = list(pool.map(lambda loader, order: loader.load(order), loaders, orders))
    assert [report.indexed + report.duplicates for report in reports] == [8] * 4
    assert held(loaders[0], lines) == 8
    fingerprints = {
        found["mappings"]["_meta"]["fingerprint"]
        for found in server.request("GET", f"/{name}*?filter_path=*.mappings._meta").values()
    }
    assert len(fingerprints) == 1
    listed = read_templates(server)[f"cloudtrail-elasticsearch-{name}-y.m.d"].names
    assert listed >= {f"{name}-{day:%Y.%m.%d}" for day in days}


class Raced:
    """A search server on which another worker creates each index just before the loader does."""

    def __init__(self, server: Any, prefix: str) -> None:
        self._server = server
        self._start = f"/{prefix}"
        self.name, self.engine = server.name, server.engine
        self.created: list[str] = []

    def request(self, method: str, path: str, body: bytes | None = None) -> Any:
        if method == "PUT" and path.startswith(self._start) and "/_" not in path:
            self._server.request(method, path, body)
            self.created.append(path)
        return self._server.request(method, path, body)


def test_an_index_that_another_worker_has_just_created_is_used_at_once(server: Any, name: str) -> None:
    """The server's answer, that it exists, is not retried."""
    raced = Raced(server, name)
    report = prepared(raced, f"{name}-%Y.%m.%d", LoadSettings(patience=0)).load(events(0))
    assert (report.indexed, report.quarantined) == (6, 0)
    assert raced.created


def test_a_template_can_list_thousands_of_names(server: Any, name: str) -> None:
    """Four years of days are in one template; a presence check searches each index by its name."""
    pattern = IndexPattern(f"{name}-%Y.%m.%d")
    days = [date(2023, 1, 1) + timedelta(days=number) for number in range(1_500)]
    names = [f"{name}-{day:%Y.%m.%d}" for day in days]
    content = make_event_template(pattern, [], {})
    EventTemplate(server, pattern, content).update(read_templates(server), names)
    loader = prepared(server, pattern.text)
    loader.load(events(0))
    assert read_templates(server)[pattern.template].names == {*names, f"{name}-undated"}
    lines = [
        codec.encode({"eventID": f"60000000-0000-0000-0000-{number:012d}", "eventTime": f"{day}T01:02:03Z"})
        for number, day in enumerate(days)
    ]
    assert held(loader, lines + events(0)) == 6


@pytest.mark.parametrize("count", [1, 200])
def test_a_template_with_the_same_priority_is_reported(server: Any, name: str, count: int) -> None:
    """The message names the other template, and says what to do; no document is sent."""
    pattern = IndexPattern(f"{name}-%Y.%m.%d")
    names = [f"{name}-{date(2025, 1, 1) + timedelta(days=number):%Y.%m.%d}" for number in range(count)]
    EventTemplate(server, pattern, make_event_template(pattern, [], {})).update({}, names)
    theirs = {"index_patterns": [f"{name}-2026*"], "priority": PRIORITY}
    server.request("PUT", f"/_index_template/a-users-{name}", codec.encode(theirs))
    with pytest.raises(
        MappingError, match=rf"the index template a-users-{name} has the same priority.*Give a-users"
    ):
        prepared(server, pattern.text).load(events(0))
    assert indices(server, name) == []


def test_a_template_of_the_user_is_merged(server: Any, name: str) -> None:
    """An alias and settings of a template with a higher priority are in the index, beside our mapping."""
    theirs = {
        "index_patterns": [f"{name}-*"],
        "priority": PRIORITY + 100,
        "template": {
            "aliases": {f"{name}-all": {}},
            "settings": {"index": {"number_of_replicas": 0}},
            "mappings": {"properties": {"mine": {"type": "long"}}},
        },
    }
    server.request("PUT", f"/_index_template/a-users-{name}", codec.encode(theirs))
    prepared(server, f"{name}-%Y.%m").load(events(0))
    found = server.request("GET", f"/{name}-2026.11")[f"{name}-2026.11"]
    assert f"{name}-all" in found["aliases"]
    assert found["settings"]["index"]["number_of_replicas"] == "0"
    assert {"mine", "eventName", "overflow"} <= found["mappings"]["properties"].keys()


def test_the_write_index_of_an_alias_is_updated(server: Any, name: str, caplog: pytest.LogCaptureFixture) -> None:
    """It is compared with the loader's mapping; the alias's other indices stay unchanged."""
    long = {"mappings": {"properties": {"eventName": {"type": "long"}}}}
    for index, writes in ((f"{name}-old", False), (f"{name}-new", True)):
        content = long | {"aliases": {f"{name}-alias": {"is_write_index": writes}}}
        server.request("PUT", f"/{index}", codec.encode(content))
    before = state(server, f"{name}-old")
    line = codec.encode({"eventID": f"70000000-0000-0000-0000-{0:012d}", "eventName": "RunInstances"})
    with caplog.at_level(logging.WARNING):
        loader = prepared(server, f"{name}-alias")
        report = loader.load([line])
    assert (report.indexed, report.quarantined) == (1, 0)
    assert held(loader, [line]) == 1
    warning = f"The index {name}-new has a mapping of its own, which differs from the loader's at eventName"
    assert warning in caplog.text
    prepared(server, f"{name}-alias").load([line])
    # Once for each process, not once for each load.
    assert caplog.text.count(warning) == 1
    assert state(server, f"{name}-old") == before


@pytest.mark.promise("nothing-lost")
def test_copies_of_an_event_in_an_alias_count_once(server: Any, name: str) -> None:
    """An alias of several indices counts documents, of which two can be one event; half the events are gone."""
    for number, writes in enumerate([False, True]):
        made = {"aliases": {f"{name}-alias": {"is_write_index": writes}}}
        server.request("PUT", f"/{name}-{number}", codec.encode(made))
    loader = prepared(server, f"{name}-alias")
    lines = events(0, 12)
    loader.load(lines)
    assert held(loader, lines) == 12
    server.request("POST", f"/{name}-1/_refresh")
    for line in lines[:6]:
        number = codec.decode(line)["eventID"]
        document = server.request("GET", f"/{name}-1/_doc/{number}")["_source"]
        server.request("PUT", f"/{name}-0/_doc/{number}", codec.encode(document))
    assert held(loader, lines) == 12
    for line in lines[6:]:
        server.request("DELETE", f"/{name}-1/_doc/{codec.decode(line)['eventID']}")
    assert held(loader, lines) == 6


def test_the_meta_of_an_index_keeps_its_owner_s_members(server: Any, name: str) -> None:
    """The loader's members are added."""
    server.request("PUT", f"/{name}", codec.encode({"mappings": {"_meta": {"owner": "somebody"}}}))
    prepared(server, name).load(events(0))
    meta = server.request("GET", f"/{name}")[name]["mappings"]["_meta"]
    assert meta == {"owner": "somebody"} | make_event_mappings(SCHEMA, server.engine)["_meta"]
