"""A LookupEvents request, parsed from JSON and validated like the real service does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import orjson

from devstack.simulator import errors

MOST_RESULTS: Final = 50

_MANAGEMENT_ATTRIBUTES: Final = frozenset(
    {"EventId", "EventName", "ReadOnly", "Username", "ResourceType", "ResourceName", "EventSource", "AccessKeyId"}
)
_INSIGHT_ATTRIBUTES: Final = frozenset({"EventId", "EventName", "EventSource"})
_LATEST: Final = 253_402_300_799


@dataclass(frozen=True, slots=True)
class LookupRequest:
    """A query. Times are whole epoch seconds, both included; `attribute` is a key and its value."""

    account: str
    region: str
    start: int | None
    end: int | None
    attribute: tuple[str, str] | None
    insight: bool
    most: int
    token: str | None

    @property
    def identity(self) -> bytes:
        """Return the parameters that a NextToken belongs to: all but the token and the size of a page."""
        return orjson.dumps([self.account, self.region, self.start, self.end, self.attribute, self.insight])


def read(body: Mapping[str, Any], account: str, region: str) -> LookupRequest:
    """Return the request of a JSON body.

    :raises ApiError: a value is out of range; the error is the one that LookupEvents documents
    """
    category = body.get("EventCategory")
    if category not in (None, "insight"):
        raise errors.invalid_category(category)
    start, end = read_time(body, "StartTime"), read_time(body, "EndTime")
    if start is not None and end is not None and end < start:
        raise errors.invalid_time_range("The start time is after the end time")
    token = body.get("NextToken")
    if token is not None and not isinstance(token, str):
        raise errors.invalid_token("not a text")
    insight = category is not None
    return LookupRequest(
        account, region, start, end, _attribute(body, insight=insight), insight, _most(body), token or None
    )


def read_time(body: Mapping[str, Any], name: str) -> int | None:
    """Return a time of a request in epoch seconds; None if it is not given.

    :raises ApiError: it is out of range
    """
    value = body.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= _LATEST:
        raise errors.invalid_time_range(f"{name} is out of range")
    return int(value)


def _most(body: Mapping[str, Any]) -> int:
    value = body.get("MaxResults")
    if value is None:
        return MOST_RESULTS
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= MOST_RESULTS:
        raise errors.invalid_max_results(value)
    return value


def _attribute(body: Mapping[str, Any], *, insight: bool) -> tuple[str, str] | None:
    attributes = body.get("LookupAttributes") or []
    if not isinstance(attributes, list) or len(attributes) > 1:
        raise errors.invalid_attributes("Exactly one lookup attribute can be given")
    if not attributes:
        return None
    key, value = attributes[0].get("AttributeKey"), attributes[0].get("AttributeValue")
    if key not in (_INSIGHT_ATTRIBUTES if insight else _MANAGEMENT_ATTRIBUTES):
        raise errors.invalid_attributes(f"Invalid attribute key: {key!r}")
    if not isinstance(value, str) or not 1 <= len(value) <= 2000:
        raise errors.invalid_attributes("The attribute value must have 1 to 2000 characters")
    if key == "ReadOnly" and value not in {"true", "false"}:
        raise errors.invalid_attributes("The value of ReadOnly must be true or false")
    return key, value
