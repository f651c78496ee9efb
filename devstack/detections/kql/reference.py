"""Evaluates a query on one event, without a search server and without our documents."""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from ipaddress import ip_address, ip_network
from typing import Any, Final, Protocol

from devstack.detections.kql.tree import And, Is, Name, Nested, Node, Not, Or, Pattern, Range, Text
from devstack.detections.values import read_path, show


class Values(Protocol):
    """The values of one event by the names of fields."""

    def find(self, name: str) -> Iterable[Any]:
        """Return the values of a field; objects for the name of an object.

        :raises RuleError: the name is unknown
        """

    def find_all(self) -> Iterable[Any]:
        """Return every value of the event."""

    def names(self) -> Iterable[str]:
        """Return the names of all fields, for names with wildcards."""


_OPERATORS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    "lt": operator.lt,
    "lte": operator.le,
    "gt": operator.gt,
    "gte": operator.ge,
}


def matches(node: Node, values: Values) -> bool:
    """Whether an event matches a query; texts are compared exactly, as keyword fields do.

    :raises RuleError: the query has a field whose value the event does not tell
    """
    match node:
        case And(children):
            return all(matches(child, values) for child in children)
        case Or(children):
            return any(matches(child, values) for child in children)
        case Not(child):
            return not matches(child, values)
        case Nested(field, child):
            return any(matches(child, _Object(each)) for each in values.find(field.text) if isinstance(each, dict))
        case Range(field, limit, value):
            return any(_is_within(found, limit, value) for found in _find(field, values))
        case Is(field, value):
            return any(_is_equal(found, value) for found in _find(field, values))


def _find(field: Name, values: Values) -> Iterator[Any]:
    match field:
        case None:
            yield from values.find_all()
        case Text(text):
            yield from values.find(text)
        case Pattern():
            for name in values.names():
                if field.expression.fullmatch(name):
                    yield from values.find(name)


def _is_equal(found: Any, value: Text | Pattern) -> bool:
    if isinstance(value, Pattern):
        return value.is_anything or value.expression.fullmatch(show(found)) is not None
    return show(found) == value.text or _is_address_in(found, value.text)


def _is_address_in(found: Any, network: str) -> bool:
    """Whether an address is in a network: fields of addresses are searched so."""
    with suppress(ValueError):
        return "/" in network and ip_address(found) in ip_network(network)
    return False


def _is_within(found: Any, limit: str, value: str) -> bool:
    compare = _OPERATORS[limit]
    for read in (float, _read_time, ip_address, str):
        with suppress(ValueError, TypeError):
            return compare(read(found), read(value))
    return False


def _read_time(value: Any) -> datetime:
    time = datetime.fromisoformat(value)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


class _Object:
    """The values of one object of a list."""

    def __init__(self, value: dict[str, Any]) -> None:
        self._value = value

    def find(self, name: str) -> Iterable[Any]:
        return read_path(self._value, name)

    def find_all(self) -> Iterable[Any]:
        return self._value.values()

    def names(self) -> Iterable[str]:
        return self._value
