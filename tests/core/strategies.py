"""Hypothesis strategies for events of any shape: declared names beside undeclared ones."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import strategies as st

from cloudtrail_elasticsearch.core.documents.declared_fields import OPEN_OBJECTS, envelope_fields, open_fields
from cloudtrail_elasticsearch.core.documents.events import EVENT_NAMES
from cloudtrail_elasticsearch.core.documents.restore import DERIVED

_DECLARED = sorted({name for path, _ in envelope_fields() for name in path.split(".")} | set(OPEN_OBJECTS))
_OPEN = sorted({name for path in open_fields() for name in path.split(".")})
_ODD = ["", " ", ".", "a.b", ".a", "a.", "key", "value", "rules", "~", "/", "0", *DERIVED]

names = st.one_of(st.sampled_from(_DECLARED), st.sampled_from(_OPEN), st.sampled_from(_ODD), st.text(max_size=8))

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.integers(min_value=2**63, max_value=2**80),
    st.floats(allow_nan=False, allow_infinity=False),
    st.text(max_size=12),
    st.text(alphabet=st.characters(categories=["Cs", "Lu"]), max_size=4),
    st.sampled_from(
        ["", "NaN", "true", "2026-11-20T01:02:03Z", "HIDDEN_DUE_TO_SECURITY_REASONS", "arn:aws:iam::1:x"]
    ),
    st.sampled_from(["x" * 5_000, "x" * 32_766, "x" * 40_000, "\u20ac" * 9_000, "\u20ac" * 12_000]),
)

values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=4),
    max_leaves=20,
)

# Encoded and decoded once, so that JSON can represent them: two adjacent lone surrogates are one
# character there.
records: st.SearchStrategy[dict[str, Any]] = st.dictionaries(names, values, max_size=8).map(
    lambda record: json.loads(json.dumps(record))
)

# Objects that are recognised as events: each has one of the names of an event.
events: st.SearchStrategy[dict[str, Any]] = records.map(
    lambda record: (
        record
        if any(record.get(name) is not None for name in EVENT_NAMES)
        else record | {"eventName": "GetObject"}
    )
)


def nested(depth: int) -> Any:
    """Return an object with this many levels."""
    value: Any = "deep"
    for _ in range(depth):
        value = {"a": value}
    return value
