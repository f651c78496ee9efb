"""The shipped data equals the output of the script."""

from __future__ import annotations

import gzip
import itertools

import pytest

from cloudtrail_elasticsearch.core.documents.catalogue import SHIPPED, Entry, Occurrence, ValueKind
from cloudtrail_elasticsearch.core.documents.declared_fields import FIELDS
from devstack.catalogue import learned, made
from devstack.catalogue.__main__ import RULES
from devstack.catalogue.declared import BUDGET, choose_paths
from devstack.catalogue.tallies import Tally

TEXT, OBJECT, MAP = ValueKind.TEXT, ValueKind.OBJECT, ValueKind.MAP


@pytest.mark.slow
def test_the_shipped_files_are_the_output_of_the_script() -> None:
    """The script reads the locked botocore and the learned kinds. If this fails, run `make catalogue`."""
    files = made.make_files((RULES / learned.FILE).read_text())
    shipped = {name: (RULES / name).read_bytes() for name in (SHIPPED, FIELDS)}
    assert files.keys() == shipped.keys()
    assert files[FIELDS] == shipped[FIELDS]
    # Compared unpacked: the same text can be packed in several ways.
    lines, known = (gzip.decompress(each[SHIPPED]).splitlines() for each in (files, shipped))
    differences = [pair for pair in itertools.zip_longest(lines, known) if pair[0] != pair[1]]
    assert differences[:3] == []


def test_models_and_events_are_merged() -> None:
    """An entry counts the operations with a kind, and records whether an event had it."""
    tallies = {"requestParameters.a": {TEXT: Tally(3, {"ec2", "s3"}), OBJECT: Tally(1, {"s3"})}}
    known = {"requestParameters.a": {TEXT}, "additionalEventData.b": {ValueKind.BOOLEAN}}
    assert list(made.make_entries(tallies, known)) == [
        Entry("additionalEventData.b", (Occurrence(ValueKind.BOOLEAN, 0, 0, True),)),
        Entry("requestParameters.a", (Occurrence(OBJECT, 1, 1, False), Occurrence(TEXT, 3, 2, True))),
    ]


def test_paths_of_events_get_fields_before_likely_ones() -> None:
    """Then come the likeliest paths, those with fewer names first; never an object, a map or an odd name."""
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
    chosen = choose_paths(known, likely | others)
    nearest = [f"requestParameters.n{number}" for number in range(BUDGET - 3)]
    assert set(chosen) == {"requestParameters.shown", "requestParameters.deep.er", *nearest}


def test_a_conflict_counts_as_two_fields() -> None:
    """The path and its parents count, so that the declared fields never exceed the index's limit."""
    pairs = {
        path: {TEXT: Tally(1, likelihood=1.0)}
        for number in range(BUDGET)
        for path in (f"requestParameters.p{number}", f"requestParameters.p{number}.child")
    }
    chosen = set(choose_paths({}, pairs))
    parents = {path.removesuffix(".child") for path in chosen if path.endswith(".child")}
    assert len(chosen) + len(parents) in {BUDGET - 1, BUDGET}
