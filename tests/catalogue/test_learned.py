"""Learning from recorded events: names and kinds, never a value."""

from __future__ import annotations

import json

from cloudtrail_elasticsearch.core.documents.catalogue import Catalogue, ValueKind
from devstack.catalogue import learned

TEXT, NUMBER, OBJECT = ValueKind.TEXT, ValueKind.NUMBER, ValueKind.OBJECT
KNOWN = Catalogue(
    b'["requestParameters.tags",[["map",2,1,false],["object",1,1,false]]]\n'
    b'["requestParameters.tags.key",[["text",1,1,false]]]\n'
)


def learn(*records: object) -> learned.Learned:
    return learned.learn([json.dumps(record).encode() for record in records], KNOWN)


def test_kinds_are_learned_and_values_are_not() -> None:
    """Elements of lists are learned, null is not, and nothing outside the open objects is."""
    shown = learn(
        {"requestParameters": {"a": ["secret", 1, None, {"b": True}]}, "userIdentity": {"type": "Root"}},
        {"requestParameters": None, "additionalEventData": "secret"},
    )
    assert shown == {
        "requestParameters": {OBJECT},
        "requestParameters.a": {TEXT, NUMBER, OBJECT},
        "requestParameters.a.b": {ValueKind.BOOLEAN},
        "additionalEventData": {TEXT},
    }


def test_keys_that_callers_chose_are_not_learned() -> None:
    """Below a map only names in a model are learned. A name with odd characters never is."""
    shown = learn({"requestParameters": {"tags": {"key": "k", "our-customer": "x"}, "an odd name": "x", "": "x"}})
    assert shown.keys() == {"requestParameters", "requestParameters.tags", "requestParameters.tags.key"}


def test_the_file_is_read_as_it_was_written() -> None:
    """One path per line, with its kinds."""
    known = {"requestParameters.b": {TEXT, OBJECT}, "requestParameters.a": {NUMBER}}
    text = learned.write(known)
    assert text.splitlines()[1:] == ["requestParameters.a number", "requestParameters.b object text"]
    assert learned.read(text) == known
