"""Render the shapes of a model as CloudTrail records requests and responses.

A `Renderer` turns a shape into a node once, and the node then makes values. The form of keys and lists differs
between services; the dialect of a service decides it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from botocore.model import ListShape, MapShape, Shape, StructureShape

from devstack.simulator.dialects import ABSENT, Dialect
from devstack.simulator.values import HIDDEN, Scene, is_secret

Node = Callable[[Scene, int], Any]
"""Makes a value for a scene at a depth; ABSENT if the member is left out."""

_DEEPEST: Final = 5
_REDACTED_OBJECTS: Final = 0.003
_OPTIONAL_MEMBERS: Final = (4.0, 3.0, 2.0, 1.0, 0.5)
_TAG_KEYS: Final = (
    "Name", "team", "Environment", "cost-center", "aws:cloudformation:stack-name", "app.kubernetes.io/name",
    "k8s.io/cluster", "Owner", "method.request.header.X-Id", "project", "created_by", "1", "a.b", "DelaySeconds",
)  # fmt: skip
_BLANK_KEYS: Final = 0.002


class Renderer:
    """Renders the shapes of one service in its dialect."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._structures: dict[str, Node] = {}

    def node(self, name: str, shape: Shape) -> Node:
        """Return the node of a member."""
        node = self._node(name, shape)
        if not self._dialect.is_text(shape):
            return node
        return lambda scene, depth: _as_text(node(scene, depth))

    def _node(self, name: str, shape: Shape) -> Node:
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
        make = self._dialect.time(name) if shape.type_name == "timestamp" else self._dialect.scalar(name, shape)
        return lambda scene, _depth: make(scene)

    def structure(self, shape: StructureShape) -> Node:
        """Return the function that renders an object. All members with this shape share it."""
        known = self._structures.get(shape.name)
        if known is None:
            known = self._structures[shape.name] = self._structure(shape)
        return known

    def _members(self, shape: StructureShape) -> list[tuple[str, Node, bool]]:
        """Return the key and node of every recorded member, and whether the member is required."""
        required = set(shape.required_members)
        return [
            (key, self.node(name, member), name in required) for name, key, member in self._dialect.members(shape)
        ]

    def _structure(self, shape: StructureShape) -> Node:
        members: list[tuple[str, Node, bool]] = []

        def render(scene: Scene, depth: int) -> Any:
            if depth >= _DEEPEST:
                return self._dialect.empty(scene)
            if not members and shape.members:
                members.extend(self._members(shape))
            if depth and scene.draw.chance(_REDACTED_OBJECTS):
                return HIDDEN
            return self._fill(members, scene, depth) or self._dialect.empty(scene)

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
                return self._dialect.empty(scene)
            length = scene.draw.between(1, 3 if depth < 3 else 1)
            values = [made[0](scene, depth) for _ in range(length)]
            values = [value for value in values if value is not ABSENT]
            return self._dialect.elements(name, shape, values) if values else self._dialect.empty(scene)

        return render

    def _map(self, name: str, shape: MapShape) -> Node:
        made: list[Node] = []
        keys = tuple(shape.key.metadata.get("enum") or _TAG_KEYS)

        def render(scene: Scene, depth: int) -> Any:
            if depth >= _DEEPEST:
                return self._dialect.empty(scene)
            if not made:
                made.append(self.node(name, shape.value))
            chosen = [scene.draw.pick(keys) for _ in range(scene.draw.between(1, 3))]
            if scene.draw.chance(_BLANK_KEYS):
                chosen.append("")
            filled = {key: made[0](scene, depth + 1) for key in chosen}
            return {key: value for key, value in filled.items() if value is not ABSENT}

        return render

    def _blob(self, name: str, shape: Shape) -> Node:
        make = self._dialect.scalar(name, shape)
        if shape.serialization.get("streaming"):
            return lambda _scene, _depth: ABSENT
        return lambda scene, _depth: make(scene) if scene.draw.chance(0.3) else ABSENT


def _as_text(value: Any) -> Any:
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value
