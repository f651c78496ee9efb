"""The ways in which CloudTrail writes the shapes of a service: keys, lists, times and empty elements.

Found in recorded events: EC2's first operations as ``instancesSet: {items: [{instanceId: …}]}``, its later ones
as the XML of the request turned to JSON (``CreateFlowLogsRequest: {ResourceId: {tag: 1, content: …}}``).
"""

from __future__ import annotations

from typing import Any, Final

from botocore.model import ListShape, Shape, StructureShape

from devstack.simulator.draw import uniform
from devstack.simulator.values import Leaf, Scene, iso_time, java_time, leaf, words

ABSENT: Final = object()
"""The value of a member that is left out."""

_EMPTY_ELEMENTS: Final = 0.5
_EC2_PLAIN_LISTS: Final = frozenset({"ipPermissions", "ipRanges", "ipv6Ranges", "groups", "prefixListIds"})
_EC2_PLURALS: Final = {"InstanceId": "instancesSet", "Owner": "ownersSet", "AllocationId": "allocationIdsSet"}


def lower_first(name: str) -> str:
    """Return a name with its first letter in lower case."""
    return name[:1].lower() + name[1:]


def _location(name: str, shape: Shape) -> str:
    return str(shape.serialization.get("name", name))


class Dialect:
    """The form of most services: keys begin in lower case, lists are plain, empty values are left out."""

    def __init__(self, service: str, protocol: str) -> None:
        self.service = service
        self._protocol = protocol

    def key(self, name: str, shape: Shape) -> str:
        """Return the key of a member."""
        del shape
        return lower_first(name)

    def members(self, shape: StructureShape) -> list[tuple[str, str, Shape]]:
        """Return name, key and shape of every member that is recorded."""
        return [
            (name, self.key(name, member), member)
            for name, member in shape.members.items()
            if not member.serialization.get("eventstream")
        ]

    def elements(self, name: str, shape: ListShape, values: list[Any]) -> Any:
        """Return the form of a list in the event."""
        del name, shape
        return values

    def empty(self, scene: Scene) -> Any:
        """Return the value of an empty list or object, or ABSENT."""
        del scene
        return ABSENT

    def time(self, name: str) -> Leaf:
        """Return the form of a member's times. Each service has its own, the same in every event."""
        way = uniform("time", self.service, name)
        if self._protocol in {"json", "query"}:
            return _java if way < 0.6 else _iso
        return _iso if way < 0.5 else _epoch if way < 0.8 else _milliseconds

    def scalar(self, name: str, shape: Shape) -> Leaf:
        """Return the function that makes the values of a scalar member."""
        return leaf(name, shape, self.service)

    def is_text(self, shape: Shape) -> bool:
        """Return whether numbers and booleans of a shape are written as text."""
        del shape
        return False


class Query(Dialect):
    """Services with AWS's query protocol: an empty element is `""`, and some numbers and booleans are text."""

    def empty(self, scene: Scene) -> Any:
        """Return `""`, the value of an empty XML element, or nothing."""
        return "" if scene.draw.chance(_EMPTY_ELEMENTS) else ABSENT

    def scalar(self, name: str, shape: Shape) -> Leaf:
        """Return the function that makes the values, which are text for one in twenty numbers and booleans."""
        make = super().scalar(name, shape)
        if shape.type_name != "string" and uniform("text", self.service, name) < 0.05:
            return lambda scene: str(make(scene)).lower()
        return make


class Ec2Request(Dialect):
    """Requests of EC2's first operations."""

    def key(self, name: str, shape: Shape) -> str:
        """Return the key, which ends in `Set` for a list."""
        location = _location(name, shape)
        lowered = lower_first(location)
        if not isinstance(shape, ListShape) or lowered in _EC2_PLAIN_LISTS:
            return lowered
        return _EC2_PLURALS.get(location, f"{lowered.removesuffix('Id')}Set")

    def elements(self, name: str, shape: ListShape, values: list[Any]) -> Any:
        """Return the list under `items`, each scalar as an object."""
        key = lower_first(_location(name, shape))
        return {"items": [value if isinstance(value, dict) else {key: value} for value in values]}

    def empty(self, scene: Scene) -> Any:
        """Return an empty object, the record of an unused set."""
        del scene
        return {}


class Ec2Response(Dialect):
    """Responses of EC2's first operations."""

    def key(self, name: str, shape: Shape) -> str:
        """Return the element's name. `return` has a form of its own: CloudTrail's language reserves the word."""
        location = lower_first(_location(name, shape))
        return "_return" if location == "return" else location

    def elements(self, name: str, shape: ListShape, values: list[Any]) -> Any:
        """Return the list under `items`."""
        del name, shape
        return {"items": values}

    def empty(self, scene: Scene) -> Any:
        """Return an empty object."""
        del scene
        return {}

    def time(self, name: str) -> Leaf:
        """Return times in milliseconds since 1970."""
        del name
        return lambda scene: scene.time * 1000


class Xml(Dialect):
    """XML turned to JSON: one element is an object, several are a list, none is `""`."""

    def key(self, name: str, shape: Shape) -> str:
        """Return the element's name as the service spells it."""
        return _location(name, shape)

    def elements(self, name: str, shape: ListShape, values: list[Any]) -> Any:
        """Return the elements, under the name of one unless the list has no element of its own."""
        del name
        several = values[0] if len(values) == 1 else values
        if shape.serialization.get("flattened"):
            return several
        return {shape.member.serialization.get("name", "item"): several}

    def empty(self, scene: Scene) -> Any:
        """Return an empty XML element."""
        del scene
        return ""

    def time(self, name: str) -> Leaf:
        """Return ISO times with milliseconds."""
        del name
        return lambda scene: iso_time(scene.time).replace("Z", ".000Z")


class Ec2TaggedRequest(Xml):
    """Requests of EC2's later operations: the elements of a list are numbered by `tag`."""

    def key(self, name: str, shape: Shape) -> str:
        """Return the member's name with a capital first letter."""
        location = _location(name, shape)
        return location[:1].upper() + location[1:]

    def elements(self, name: str, shape: ListShape, values: list[Any]) -> Any:
        """Return numbered elements; a scalar stands under `content`."""
        del name, shape
        tagged = [
            {**value, "tag": tag} if isinstance(value, dict) else {"tag": tag, "content": value}
            for tag, value in enumerate(values, start=1)
        ]
        return tagged[0] if len(tagged) == 1 else tagged

    def empty(self, scene: Scene) -> Any:
        """Leave out what was not asked for."""
        del scene
        return ABSENT


class S3Request(Xml):
    """Requests of S3: members from the path, the query string or a header are text beside the XML body."""

    def key(self, name: str, shape: Shape) -> str:
        """Return `bucketName` and `key` for the path, else the name in the request."""
        if shape.serialization.get("location") == "uri":
            return {"Bucket": "bucketName"}.get(name, lower_first(name))
        return super().key(name, shape)

    def members(self, shape: StructureShape) -> list[tuple[str, str, Shape]]:
        """Return the members, without the headers that carry digests and metadata."""
        members = super().members(shape)
        return [member for member in members if not member[1].startswith(("Content-MD5", "x-amz-meta"))]

    def scalar(self, name: str, shape: Shape) -> Leaf:
        """Return the function that makes the values."""
        return words if name == "Bucket" else super().scalar(name, shape)

    def is_text(self, shape: Shape) -> bool:
        """Return whether the member was in the query string or a header."""
        return shape.serialization.get("location") in {"querystring", "header"}


def _iso(scene: Scene) -> str:
    return iso_time(scene.time - scene.draw.below(86_400))


def _java(scene: Scene) -> str:
    return java_time(scene.time - scene.draw.below(86_400))


def _epoch(scene: Scene) -> int:
    return scene.time - scene.draw.below(86_400)


def _milliseconds(scene: Scene) -> int:
    return (scene.time - scene.draw.below(86_400)) * 1000 + scene.draw.below(1000)
