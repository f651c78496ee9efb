"""The outline of CloudTrail's record of every operation: the keys, and the kind of value under each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Final

from botocore.model import ListShape, MapShape, Shape, StructureShape

from cloudtrail_elasticsearch.core.documents.catalogue import ValueKind
from devstack.simulator import models
from devstack.simulator.calls import ServiceCalls
from devstack.simulator.dialects import Dialect
from devstack.simulator.draw import Draw
from devstack.simulator.shapes import Node
from devstack.simulator.values import Scene, is_secret

Outline = Any
"""An object as a dict of outlines, a list as a list of them, and anything else as its ValueKind or an example.

A shape that contains itself has an outline that contains itself.
"""

_KINDS: Final = {
    "bigdecimal": ValueKind.NUMBER,
    "biginteger": ValueKind.NUMBER,
    "blob": ValueKind.TEXT,
    "boolean": ValueKind.BOOLEAN,
    "character": ValueKind.TEXT,
    "double": ValueKind.NUMBER,
    "float": ValueKind.NUMBER,
    "integer": ValueKind.NUMBER,
    "long": ValueKind.NUMBER,
    "string": ValueKind.TEXT,
    "timestamp": ValueKind.TIME,
}
_SCENE: Final = Scene(Draw(0), account="123456789012", region="us-east-1", time=0)


@dataclass(frozen=True, slots=True)
class Recorded:
    """The outlines of an operation's record; None if CloudTrail does not record that part."""

    service: str
    operation: str
    request: Outline | None
    response: Outline | None


def recorded_operations(services: Iterable[str] | None = None) -> Iterator[Recorded]:
    """Yield the outline of every operation of these services, or of all that botocore knows."""
    for service in services or models.services():
        calls = ServiceCalls(service, Outliner)
        for operation in calls.operations:
            call = calls.call(operation)
            yield Recorded(service, operation, call.request(_SCENE), call.response(_SCENE))


def kind_of(value: Any) -> ValueKind:
    """Return the kind of an outline or of a value that is neither null nor a list."""
    if isinstance(value, ValueKind):
        return value
    if isinstance(value, dict):
        return ValueKind.OBJECT
    if isinstance(value, bool):
        return ValueKind.BOOLEAN
    return ValueKind.TEXT if isinstance(value, str) else ValueKind.NUMBER


class Outliner:
    """Takes the place of a renderer, and makes outlines instead of values."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._structures: dict[str, dict[str, Outline]] = {}

    def structure(self, shape: StructureShape) -> Node:
        """Return the function that makes an object's outline."""
        outline = self._structure(shape)
        return lambda _scene, _depth: outline

    def _structure(self, shape: StructureShape) -> Outline:
        if shape.is_document_type:
            return ValueKind.MAP
        known = self._structures.get(shape.name)
        if known is None:
            known = self._structures[shape.name] = {}
            for name, key, member in self._dialect.members(shape):
                if not member.serialization.get("streaming"):
                    known[key] = self._member(name, member)
        return known

    def _member(self, name: str, shape: Shape) -> Outline:
        if is_secret(name, shape):
            return ValueKind.TEXT
        if isinstance(shape, StructureShape):
            return self._structure(shape)
        if isinstance(shape, ListShape):
            element = self._member(name.removesuffix("s"), shape.member)
            return self._dialect.elements(name, shape, [element])
        if isinstance(shape, MapShape):
            keys = shape.key.metadata.get("enum")
            return dict.fromkeys(keys, self._member(name, shape.value)) if keys else ValueKind.MAP
        return ValueKind.TEXT if self._dialect.is_text(shape) else _KINDS[shape.type_name]
