"""The shipped data is what the script makes."""

from __future__ import annotations

import gzip
import itertools

from cloudtrail_elasticsearch.core.catalogue import SHIPPED, Entry, Occurrence, ValueKind
from cloudtrail_elasticsearch.core.shape import FIELDS
from devstack.catalogue import learned, made
from devstack.catalogue.__main__ import RULES
from devstack.catalogue.declared import BUDGET, declared
from devstack.catalogue.tallies import Tally

TEXT, OBJECT, MAP = ValueKind.TEXT, ValueKind.OBJECT, ValueKind.MAP


def test_the_shipped_files_are_what_the_script_makes() -> None:
    """From the locked botocore and what was learned; else `make catalogue` was forgotten."""
    files = made.files((RULES / learned.FILE).read_text())
    shipped = {name: (RULES / name).read_bytes() for name in (SHIPPED, FIELDS)}
    assert files.keys() == shipped.keys()
    assert files[FIELDS] == shipped[FIELDS]
    # Compared unpacked: the same text can be packed in several ways.
    lines, known = (gzip.decompress(each[SHIPPED]).splitlines() for each in (files, shipped))
    differences = [pair for pair in itertools.zip_longest(lines, known) if pair[0] != pair[1]]
    assert differences[:3] == []


def test_models_and_events_are_merged() -> None:
    """An entry says how many operations have a kind, and whether an event showed it."""
    tallies = {"requestParameters.a": {TEXT: Tally(3, {"ec2", "s3"}), OBJECT: Tally(1, {"s3"})}}
    known = {"requestParameters.a": {TEXT}, "additionalEventData.b": {ValueKind.BOOLEAN}}
    assert list(made.entries(tallies, known)) == [
        Entry("additionalEventData.b", (Occurrence(ValueKind.BOOLEAN, 0, 0, True),)),
        Entry("requestParameters.a", (Occurrence(OBJECT, 1, 1, False), Occurrence(TEXT, 3, 2, True))),
    ]


def test_what_events_showed_has_fields_before_what_is_likely() -> None:
    """Then the likeliest, a name nearer the top first; never an object, a map or an odd name."""
    known = {
        "requestParameters.shown": {TEXT},
        "requestParameters": {OBJECT, TEXT},
        "requestParameters.o": {OBJECT},
    }
    likely = {
        f"requestParameters.n{number}": {TEXT: Tally(1, {"s3"}, likelihood=1 / (1 + number))}
        for number in range(2 * BUDGET)
    }
    others = {
        "requestParameters.object": {OBJECT: Tally(9, likelihood=99.0)},
        "requestParameters.map": {MAP: Tally(9, likelihood=99.0)},
        "requestParameters.odd name": {TEXT: Tally(9, likelihood=99.0)},
        "requestParameters.deep.er": {TEXT: Tally(1, likelihood=0.9)},
    }
    chosen = declared(known, likely | others)
    nearest = [f"requestParameters.n{number}" for number in range(BUDGET - 3)]
    assert set(chosen) == {"requestParameters.shown", "requestParameters.deep.er", *nearest}


def test_a_conflict_takes_two_of_the_budget() -> None:
    """The path and its parents count, so that what is declared never outgrows the index."""
    pairs = {
        path: {TEXT: Tally(1, likelihood=1.0)}
        for number in range(BUDGET)
        for path in (f"requestParameters.p{number}", f"requestParameters.p{number}.child")
    }
    chosen = set(declared({}, pairs))
    parents = {path.removesuffix(".child") for path in chosen if path.endswith(".child")}
    assert len(chosen) + len(parents) in {BUDGET - 1, BUDGET}
