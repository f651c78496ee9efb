"""JSON of any depth and with any names is read without loss, and invalid JSON is rejected."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.encoding.codec import MAX_LEVELS, Verbatim
from tests.core.strategies import records
from tests.core.texts import deep_values, holds_text, meaning, nest, write, write_escaped


@given(value=deep_values, comma=st.sampled_from([",", " ,\t"]), colon=st.sampled_from([":", ": ", "\n :"]))
def test_any_text_is_decoded_and_encoded_without_loss(value: Any, comma: str, colon: str) -> None:
    """Every member is kept; members with one name keep their order."""
    for quote in (json.dumps, write_escaped):
        text = write(value, comma, colon, quote=quote)
        assert meaning(codec.encode(codec.decode(text))) == meaning(text)
        assert meaning(codec.canonical(codec.decode(text.encode()))) == meaning(text)


@given(record=records)
def test_a_text_that_python_can_hold_is_decoded_as_by_the_standard_library(record: dict[str, Any]) -> None:
    """No part of it stays a text."""
    text = json.dumps(record)
    assert codec.decode(text) == json.loads(text)
    assert not holds_text(codec.decode(text))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a":1,"a":2}', Verbatim('{"a":1,"a":2}')),
        (r'{"a":1,"\u0061":1}', Verbatim(r'{"a":1,"\u0061":1}')),
        (r'{"a\/b":1,"a/b":null}', Verbatim(r'{"a\/b":1,"a/b":null}')),
        (r'{"\"":1,"\u0022":"\u0022"}', Verbatim(r'{"\"":1,"\u0022":"\u0022"}')),
        ('{"a": {"b": [ 1 ], "b": " x " }}', {"a": Verbatim('{"b":[1],"b":" x "}')}),
        ('[{"a":{"b":1,"b":2},"a":3}]', [Verbatim('{"a":{"b":1,"b":2},"a":3}')]),
        ('{"a":1,"A":2}', {"a": 1, "A": 2}),
        (r'{"a":"\u0022","b":"\u0022\"\\\""}', {"a": '"', "b": '""\\"'}),
        ('{"a":NaN,"a":1e999}', Verbatim('{"a":NaN,"a":1e999}')),
        ('{"a":[1.0,-0,10000000000000000000000,1E2]}', {"a": [1.0, 0, 10**22, 100.0]}),
    ],
)
def test_an_object_with_a_name_twice_stays_text(text: str, expected: Any) -> None:
    """In whatever spelling the name is repeated. Names that differ in case are different."""
    assert codec.decode(text) == expected
    assert codec.decode(text.encode()) == expected


@pytest.mark.parametrize("kinds", ["{", "[", "{[", "[{"])
def test_a_value_deeper_than_the_limit_stays_text(kinds: str) -> None:
    """A value up to the limit is decoded."""
    fits = nest(7, kinds, MAX_LEVELS)
    assert not holds_text(codec.decode(write(fits)))
    value = codec.decode(write(nest(fits, "[", 1)))
    for _ in range(MAX_LEVELS):
        value = value[0] if isinstance(value, list) else value["a"]
    assert isinstance(value, Verbatim)
    assert list(value.read_scalars()) == [7]


def test_brackets_in_texts_do_not_count_as_levels() -> None:
    """Whatever their number, with or without escapes beside them."""
    value: Any
    for text in ("{[" * 5_000, '\\"{' * 5_000, "}" * 5_000):
        value = {"a": [text, {"b": text}]}
        assert codec.decode(codec.encode(value)) == value


def test_many_adjacent_objects_do_not_count_as_levels() -> None:
    """They are decoded."""
    value: Any = [{"a": [{}, []]}] * 5_000
    assert codec.decode(codec.encode(value)) == value


DEEP = b"[" * 200 + b"%b" + b"]" * 200


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[1,]", b'{"a":1,}', b'{"a"}', b'{"a":}', b"{a:1}", b"[1 2]", b"{}{}", b"01", b"1.", b"-", b"+1",
     b"nul", b'"a\nb"', b'"\\x"', b'"\\u12g4"', b"'a'", b"[}", b"\xff", b'"\xff"', b"[" * 10_000, b"]" * 10_000],
)  # fmt: skip
def test_invalid_json_is_rejected_at_any_depth(text: bytes) -> None:
    """By both readers, the fast one and the one for deep texts."""
    for each in (text, DEEP % text) if text else (text,):
        with pytest.raises(ValueError, match=r"unexpected character|codec can't decode"):
            codec.decode(each)
    with pytest.raises(ValueError, match="unexpected character"):
        codec.decode(DEEP % b"1" + b"]")


def test_the_members_of_an_object_are_read_one_by_one() -> None:
    """Names are decoded, values are left as written."""
    text = Verbatim(r'{"a":[1,{"b":2}],"c":{},"\u0061":"x","d":[[]],"a":-1.50}')
    assert text.read_members() == [("a", '[1,{"b":2}]'), ("c", "{}"), ("a", '"x"'), ("d", "[[]]"), ("a", "-1.50")]


def test_the_scalars_of_a_text_are_those_of_its_value() -> None:
    """Null is not a scalar."""
    assert list(Verbatim(r'{"a":["x\u00e9",1.0,true,{"b":null}],"a":[]}').read_scalars()) == ["x\u00e9", 1.0, True]
