"""Hypothesis strategies for JSON texts: repeated names in any spelling, at any depth."""

from __future__ import annotations

import json
from typing import Any, Final

from hypothesis import strategies as st

from cloudtrail_elasticsearch.core.documents.declared_fields import OPEN_OBJECTS
from cloudtrail_elasticsearch.core.encoding.codec import Verbatim
from tests.core.strategies import names, scalars

TOP: Final = ("eventName", "eventTime", "userIdentity", "resources", "readOnly", "mine", *OPEN_OBJECTS)
_FEW: Final = st.sampled_from(["a", "b", "type", "ARN", "userName", "bucketName", "a/b", ""]) | names


class Pairs(list[tuple[str, Any]]):
    """The members of an object, whose names can be repeated."""


values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.lists(st.tuples(_FEW, inner), max_size=4).map(Pairs),
    max_leaves=12,
)


def nest(value: Any, kinds: str, depth: int) -> Any:
    """Wrap a value in this many objects and lists, in the order of `kinds`: ``{``, ``[`` or ``{[``."""
    for level in reversed(range(depth)):
        value = Pairs([("a", value)]) if kinds[level % len(kinds)] == "{" else [value]
    return value


deep_values: st.SearchStrategy[Any] = st.builds(
    nest,
    values,
    st.sampled_from(["{", "[", "{[", "[[{"]),
    st.sampled_from([0, 0, 0, 1, 58, 61, 98, 99, 100, 101, 300]),
)

records: st.SearchStrategy[Pairs] = st.lists(st.tuples(st.sampled_from(TOP) | names, deep_values), max_size=6).map(
    Pairs
)


def write(value: Any, comma: str = ",", colon: str = ":", *, quote: Any = json.dumps) -> str:
    """Return the JSON text of a value with `Pairs` in it."""
    if isinstance(value, Pairs):
        members = (f"{quote(name)}{colon}{write(child, comma, colon, quote=quote)}" for name, child in value)
        return f"{{{comma.join(members)}}}"
    if isinstance(value, list):
        return f"[{comma.join(write(element, comma, colon, quote=quote) for element in value)}]"
    return json.dumps(value)


def write_escaped(name: str) -> str:
    """Return a name with each of its characters escaped."""
    units = name.encode("utf-16-be", "surrogatepass")
    return '"' + "".join(f"\\u{units[place : place + 2].hex()}" for place in range(0, len(units), 2)) + '"'


def meaning(text: bytes | str) -> Any:
    """Return the value of a JSON text: members sorted by name, and those with one name in their own order."""
    return json.loads(text, object_pairs_hook=lambda pairs: {"": sorted(pairs, key=lambda pair: pair[0])})


def holds_text(value: Any) -> bool:
    """Whether part of a decoded value stayed text."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, Verbatim):
            return True
        if isinstance(value, dict | list):
            waiting += value.values() if isinstance(value, dict) else value
    return False
