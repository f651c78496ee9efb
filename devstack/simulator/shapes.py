"""Renders a model's shapes as CloudTrail records requests and responses.

A `Renderer` turns a shape into a node once, and the node makes values from then on. How keys and lists look
differs between services: the subclasses in `dialects` say how.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from botocore.model import ListShape, MapShape, Shape, StructureShape

from devstack.simulator.draw import uniform
from devstack.simulator.values import HIDDEN, Leaf, Scene, is_secret, iso_time, java_time, leaf

Node = Callable[[Scene, int], Any]
"""Makes a value for a scene at a depth; ABSENT where the member is to be left out."""

ABSENT: Final = object()

_DEEPEST: Final = 5
_REDACTED_OBJECTS: Final = 0.003
_OPTIONAL_MEMBERS: Final = (4.0, 3.0, 2.0, 1.0, 0.5)
_TAG_KEYS: Final = (
    "Name", "team", "Environment", "cost-center", "aws:cloudformation:stack-name", "app.kubernetes.io/name",
    "k8s.io/cluster", "Owner", "method.request.header.X-Id", "project", "created_by", "1", "a.b", "DelaySeconds",
)  # fmt: skip
_BLANK_KEYS: Final = 0.002


def lower_first(name: str) -> str:
    """Return a name with its first letter, and no other, in lower case."""
    return name[:1].lower() + name[1:]


class Renderer:
    """Renders as most services do: lower-case first letters, plain lists, what is empty left out."""

    def __init__(self, service: str, protocol: str) -> None:
        self.service = service
        self._protocol = protocol
        self._structures: dict[str, Node] = {}

    def key(self, name: str, shape: Shape) -> str:
        """Return the key of a member."""
        del shape
        return lower_first(name)

    def elements(self, name: str, shape: ListShape, values: list[Any]) -> Any:
        """Return how a list stands in the event."""
        del name, shape
        return values

    def empty(self, scene: Scene) -> Any:
        """Return what stands for a list or an object with nothing in it, or ABSENT."""
        del scene
        return ABSENT

    def time(self, name: str) -> Leaf:
        """Return how a member's times are written: each service has its ways, the same in every event."""
        way = uniform("time", self.service, name)
        if self._protocol in {"json", "query"}:
            return _java if way < 0.6 else _iso
        return _iso if way < 0.5 else _epoch if way < 0.8 else _milliseconds

    def scalar(self, name: str, shape: Shape) -> Leaf:
        """Return what makes the values of a scalar member."""
        return leaf(name, shape, self.service)

    def node(self, name: str, shape: Shape) -> Node:
        """Return what renders a member."""
        if is_secret(name, shape):
            return lambda _scene, _depth: HIDDEN
        if isinstance(shape, StructureShape):
            return self.structure(shape)
        if isinstance(shape, ListShape):
            return self._list(name, shape)
        if isinstance(shape, MapShape):
            return self._map(name, shape)
        if shape.type_name == "blob":
            return self._blob(name, shape)
        make = self.time(name) if shape.type_name == "timestamp" else self.scalar(name, shape)
        return lambda scene, _depth: make(scene)

    def structure(self, shape: StructureShape) -> Node:
        """Return what renders an object, the same for all members of this shape."""
        known = self._structures.get(shape.name)
        if known is None:
            known = self._structures[shape.name] = self._structure(shape)
        return known

    def members(self, shape: StructureShape) -> list[tuple[str, Node, bool]]:
        """Return key, node and whether it is required, of every member that CloudTrail would record."""
        required = set(shape.required_members)
        return [
            (self.key(name, member), self.node(name, member), name in required)
            for name, member in shape.members.items()
            if not member.serialization.get("eventstream")
        ]

    def _structure(self, shape: StructureShape) -> Node:
        members: list[tuple[str, Node, bool]] = []

        def render(scene: Scene, depth: int) -> Any:
            if depth >= _DEEPEST:
                return self.empty(scene)
            if not members and shape.members:
                members.extend(self.members(shape))
            if depth and scene.draw.chance(_REDACTED_OBJECTS):
                return HIDDEN
            return self._fill(members, scene, depth) or self.empty(scene)

        return render

    def _fill(self, members: list[tuple[str, Node, bool]], scene: Scene, depth: int) -> dict[str, Any]:
        wanted = _OPTIONAL_MEMBERS[depth] / (len(members) or 1)
        chance = scene.draw.chance
        filled = {}
        for key, node, required in members:
            if required or chance(wanted):
                value = node(scene, depth + 1)
                if value is not ABSENT:
                    filled[key] = value
        return filled

    def _list(self, name: str, shape: ListShape) -> Node:
        # Made on first use: a shape may contain itself.
        made: list[Node] = []

        def render(scene: Scene, depth: int) -> Any:
            if not made:
                made.append(self.node(name.removesuffix("s"), shape.member))
            if scene.draw.chance(0.1):
                return self.empty(scene)
            length = scene.draw.between(1, 3 if depth < 3 else 1)
            values = [made[0](scene, depth) for _ in range(length)]
            values = [value for value in values if value is not ABSENT]
            return self.elements(name, shape, values) if values else self.empty(scene)

        return render

    def _map(self, name: str, shape: MapShape) -> Node:
        made: list[Node] = []
        keys = tuple(shape.key.metadata.get("enum") or _TAG_KEYS)

        def render(scene: Scene, depth: int) -> Any:
            if depth >= _DEEPEST:
                return self.empty(scene)
            if not made:
                made.append(self.node(name, shape.value))
            chosen = [scene.draw.pick(keys) for _ in range(scene.draw.between(1, 3))]
            if scene.draw.chance(_BLANK_KEYS):
                chosen.append("")
            filled = {key: made[0](scene, depth + 1) for key in chosen}
            return {key: value for key, value in filled.items() if value is not ABSENT}

        return render

    def _blob(self, name: str, shape: Shape) -> Node:
        make = self.scalar(name, shape)
        if shape.serialization.get("streaming"):
            return lambda _scene, _depth: ABSENT
        return lambda scene, _depth: make(scene) if scene.draw.chance(0.3) else ABSENT


def _iso(scene: Scene) -> str:
    return iso_time(scene.time - scene.draw.below(86_400))


def _java(scene: Scene) -> str:
    return java_time(scene.time - scene.draw.below(86_400))


def _epoch(scene: Scene) -> int:
    return scene.time - scene.draw.below(86_400)


def _milliseconds(scene: Scene) -> int:
    return (scene.time - scene.draw.below(86_400)) * 1000 + scene.draw.below(1000)
