"""Events that rules leave out, in a load, a count and a replay, with a server in memory."""

from __future__ import annotations

import json
import random
from collections import Counter
from contextlib import closing
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.documents.own_events import OWN_EVENTS_RULE, OwnEvents
from cloudtrail_elasticsearch.core.documents.rules import load_rules, read_rules
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.index.index_pattern import QUARANTINE_INDEX, IndexPattern, make_index_lookup
from cloudtrail_elasticsearch.core.loading.loader import HeldEvents, Loader, Outcomes
from cloudtrail_elasticsearch.core.loading.places import RecordedPlaces
from cloudtrail_elasticsearch.core.loading.report import LoadReport
from tests.core.test_load import QUICK, REFUSAL, Server, event_id

READS = {"name": "reads", "why": "w", "do": "leave-out", "events": {"name": ["Describe*", "List*"]}}
S3 = {"name": "s3", "why": "w", "do": "leave-out", "events": {"source": "s3.amazonaws.com"}}


def make_loader(server: Any, *rules: dict[str, Any], own_events: OwnEvents = OwnEvents.KEEP) -> Loader:
    content = json.dumps({"rules": rules}).encode()
    schema = build_schema("flattened", read_rules(content, "mine.yaml") + load_rules())
    return Loader(server, IndexPattern("one"), schema, QUICK, own_events)


def lines(*names: str, first: int = 0) -> list[bytes]:
    """Return an event for each name: ``source:name``."""
    made = []
    for number, name in enumerate(names, first):
        source, _, action = name.rpartition(":")
        made.append({"eventID": event_id(number), "eventSource": f"{source}.amazonaws.com", "eventName": action})
    return [json.dumps(each).encode() for each in made]


class RejectingServer(Server):
    """Rejects every event, and has one page of quarantined ones."""

    def __init__(self) -> None:
        super().__init__(reject_all)

    def request(self, method: str, path: str, body: bytes | None = None) -> Any:
        if b"search_after" in (body or b""):
            return {"hits": {"hits": []}}
        return super().request(method, path, body)


def reject_all(index: str, _: str, __: Any) -> dict[str, Any] | None:
    return REFUSAL if index == "one" else None


SOME = lines("ec2:DescribeX", "ec2:RunX", "s3:GetX", "s3:ListX", "ec2:ListX", "iam:PutX")


@pytest.mark.promise("nothing-lost")
def test_a_load_and_its_count_agree_on_the_events_left_out() -> None:
    """Read = indexed + left out; each event is counted under the first rule that matches."""
    server = Server()
    loader = make_loader(server, READS, S3)
    report = loader.load(SOME)
    assert report == LoadReport(read=6, indexed=2, left_out_by=Counter(reads=3, s3=1))
    assert report.left_out == 4
    assert set(server.of("one")) == {event_id(1), event_id(5)}
    assert loader.count_held(SOME) == HeldEvents(indexed=2, left_out_by=Counter(reads=3, s3=1))


def test_without_rules_nothing_is_left_out() -> None:
    server = Server()
    assert make_loader(server).load(SOME) == LoadReport(read=6, indexed=6)


def test_the_outcomes_have_the_numbers_of_the_lines_left_out() -> None:
    """The command line counts them for each file."""
    found: list[Outcomes] = []
    make_loader(Server(), READS).load(SOME * 3, on_outcomes=found.append)
    left_out = {number for outcomes in found for number in outcomes.left_out}
    assert left_out == {number for number in range(18) if number % 6 in (0, 3, 4)}


@pytest.mark.promise("restartable")
def test_lines_left_out_count_as_acknowledged() -> None:
    """Even if a whole request is left out: a resumed load continues after them."""
    seen: list[tuple[int, int]] = []
    many = lines(*["ec2:ListX"] * 30, *["ec2:RunX"] * 5)
    make_loader(Server(), READS).load(many, on_progress=lambda report, done: seen.append((report.read, done)))
    assert seen[-1] == (35, 35)


@pytest.mark.promise("nothing-lost")
def test_an_event_that_was_indexed_before_counts_as_indexed() -> None:
    """Nothing is deleted, and the figures show what the server holds."""
    server = Server()
    make_loader(server).load(SOME[:4])
    loader = make_loader(server, READS, S3)
    assert loader.load(SOME) == LoadReport(
        read=6, indexed=1, duplicates=1, left_out_by=Counter(reads=3, s3=1)
    )  # the load sends none of them
    held = loader.count_held(SOME)
    assert held == HeldEvents(indexed=5, left_out_by=Counter(reads=1), still_indexed=3)
    # Deleted by the user, they count as left out.
    for number in (0, 2, 3):
        del server.documents["one", event_id(number)]
    assert loader.count_held(SOME) == HeldEvents(indexed=2, left_out_by=Counter(reads=3, s3=1))


@pytest.mark.promise("nothing-lost")
def test_a_lost_document_is_not_counted_as_left_out() -> None:
    server = Server()
    loader = make_loader(server, READS)
    loader.load(SOME)
    del server.documents["one", event_id(1)]
    held = loader.count_held(SOME)
    assert (held.indexed, held.left_out) == (2, 3)


@pytest.mark.promise("nothing-lost")
def test_a_quarantined_event_that_a_rule_leaves_out_leaves_with_a_replay() -> None:
    """Until then it counts as quarantined; then as left out."""
    server = RejectingServer()
    make_loader(server).load(SOME)
    loader = make_loader(server, READS)
    assert loader.load(SOME).left_out_by == Counter(reads=3)
    assert loader.count_held(SOME) == HeldEvents(quarantined=6)
    report = loader.replay()
    assert report == LoadReport(read=6, quarantined=3, left_out_by=Counter(reads=3))
    assert loader.count_held(SOME) == HeldEvents(quarantined=3, left_out_by=Counter(reads=3))
    assert len(server.of(QUARANTINE_INDEX)) == 3


def test_a_rule_sees_the_event_before_other_rules_change_it() -> None:
    """In the quarantine, masked values are lost: such an event is only left out by a load of its window."""
    mask = {
        "name": "mask",
        "path": "eventName",
        "why": "w",
        "change": {"do": "mask"},
        "examples": [],
    }
    server = Server()
    assert make_loader(server, mask, READS).load(SOME).left_out_by == Counter(reads=3)
    server = RejectingServer()
    make_loader(server, mask).load(SOME)
    loader = make_loader(server, mask, READS)
    assert loader.replay() == LoadReport(read=6, quarantined=6)
    assert loader.count_held(SOME) == HeldEvents(quarantined=6)


def test_the_loaders_own_events_are_left_out_under_a_name_of_their_own() -> None:
    """They count as own in every case, and as left out only if the server does not hold them."""
    own = {
        "eventID": event_id(50),
        "eventSource": "cloudtrail.amazonaws.com",
        "eventName": "LookupEvents",
        "userAgent": "Boto3 cloudtrail-elasticsearch/1.0",
    }
    line = json.dumps(own).encode()
    server = Server()
    loader = make_loader(server, READS, own_events=OwnEvents.LEAVE_OUT)
    assert loader.load([*SOME, line]).left_out_by == Counter({"reads": 3, OWN_EVENTS_RULE: 1})
    held = loader.count_held([*SOME, line])
    assert held == HeldEvents(indexed=3, own=1, left_out_by=Counter({"reads": 3, OWN_EVENTS_RULE: 1}))
    make_loader(server).load([line])
    held = loader.count_held([*SOME, line])
    assert held == HeldEvents(indexed=4, own=1, left_out_by=Counter(reads=3), still_indexed=1)


@pytest.mark.promise("restartable")
def test_the_target_changes_with_the_rules() -> None:
    """So a window is loaded again when a rule is removed. Without rules it is that of earlier versions."""
    server = Server()
    plain = make_loader(server).target
    assert plain == f"one {build_schema('flattened', load_rules()).fingerprint} keep"
    targets = {
        plain,
        make_loader(server, READS).target,
        make_loader(server, S3).target,
        make_loader(server, READS, S3).target,
        make_loader(server, READS | {"events": {"name": "Get*"}}).target,
        make_loader(server, READS | {"name": "other"}).target,
    }
    assert len(targets) == 6
    assert make_loader(server, READS | {"why": "another reason"}).target == make_loader(server, READS).target


@pytest.mark.promise("nothing-lost")
@pytest.mark.parametrize("seed", range(40))
def test_windows_counted_together_have_the_figures_that_they_have_alone(seed: int) -> None:
    """Whatever the rules were before, and whatever the server has lost or quarantined."""
    chance = random.Random(seed)
    names = ["ec2:DescribeX", "ec2:RunX", "s3:ListX", "s3:PutX"]
    known = lines(*(chance.choice(names) for _ in range(40)))
    server = Server(reject_all if seed % 2 else lambda *_: None)
    make_loader(server).load(chance.sample(known, chance.choice([0, 3, 10])))
    server.fault = lambda *_: None
    make_loader(server).load(chance.sample(known, chance.choice([0, 0, 5])))
    loader = make_loader(server, READS, S3)
    loader.load(known)
    for key in chance.sample(sorted(server.documents), chance.choice([0, 0, 1, 3])):
        del server.documents[key]
    groups = [
        list(map(loader.locate, chance.sample(known, chance.randint(0, 20)))) for _ in range(chance.randint(2, 5))
    ]
    before = dict(server.documents)
    alone = [loader.count_places(group) for group in groups]
    server.documents = before
    assert loader._count_groups(groups) == alone
    for group, held in zip(groups, alone, strict=True):
        # The sum is never too large.
        assert held.indexed + held.quarantined + held.left_out <= len(group)


def test_recorded_places_keep_the_rule() -> None:
    """Beside the loader's own events and events without a time."""
    loader = make_loader(Server(), READS, S3)
    dated = json.dumps({"eventID": event_id(9), "eventName": "ListX", "eventTime": "2026-11-20T01:02:03Z"})
    places = [loader.locate(line) for line in [*SOME, dated.encode(), b"no event"]]
    places.append(places[0]._replace(id=event_id(10), is_own=True))
    with closing(RecordedPlaces()) as recorded:
        for place in places:
            recorded.add(place)
        found = list(recorded.read_distinct(make_index_lookup(IndexPattern("one"))))
    assert sorted(found, key=str) == sorted((place._replace(time=None) for place in places), key=str)
    assert {place.rule for place in found} == {None, "reads", "s3"}


@pytest.mark.promise("nothing-lost")
def test_of_differing_copies_of_an_event_the_indexed_one_counts() -> None:
    """A trail can deliver an event twice, and one copy may lack the value that a rule looks at."""
    server = Server()
    loader = make_loader(server, READS)
    copies = [*lines("ec2:ListX"), *lines("ec2:RunX")]
    for order in (copies, copies[::-1]):
        loader.load(order)
        with closing(RecordedPlaces()) as recorded:
            for line in order:
                recorded.add(loader.locate(line))
            held = loader.count_places(recorded.read_distinct(loader.index_of))
        assert held == HeldEvents(indexed=1)
        groups = [[loader.locate(line)] for line in order]
        assert loader._count_groups(groups) == [loader.count_places(group) for group in groups]
