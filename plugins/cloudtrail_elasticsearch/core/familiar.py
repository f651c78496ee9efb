"""Familiar objects: an operation writes into its open objects what it wrote there before.

The names and the types of values that were seen in objects that fit become a type of msgspec's. An object that
decodes into it is known to fit without being looked at, at the speed at which JSON is read.
"""

from __future__ import annotations

import keyword
from dataclasses import dataclass, field
from typing import Any, Final, Union

import msgspec

from cloudtrail_elasticsearch.core.shape import Kind, Node

FIRST: Final = 32
"""So many objects are looked at before a type is made of them: to make one takes as long as to look at fifty."""

GROWTH: Final = 2
"""So many times as many have to be unfamiliar before another type is made."""

MOST_NAMES: Final = 200
"""Of more names than that no type is made."""


class _StrangeError(Exception):
    """Whether an object fits depends on more than its names and types, or its names are values of their own."""


class Familiar:
    """What is familiar of one open object of one operation; `node` is what is declared of it."""

    def __init__(self, node: Node) -> None:
        self._node = node
        self._seen = _Seen()
        self._unfamiliar = 0
        self._wanted = FIRST
        self._decode: Any = None

    def decode(self, text: bytes | msgspec.Raw) -> Any:
        """Return an object as attributes where it is known to fit, else None; its event has to be a plain one."""
        if self._decode is None:
            return None
        try:
            return self._decode(text)
        except msgspec.MsgspecError:
            return None

    def learn(self, value: dict[str, Any]) -> None:
        """Take an object to heart that was found to fit as it is."""
        if not self._wanted:
            return
        try:
            self._seen.add(value, None if self._node.kind is Kind.FLAT else self._node)
            self._unfamiliar += 1
            if self._unfamiliar == self._wanted:
                self._know()
        except _StrangeError:
            self._wanted = 0
            self._seen = _Seen()

    def _know(self) -> None:
        """Make a type of what was seen."""
        if self._seen.count() > MOST_NAMES:
            self._decode = None
            raise _StrangeError
        self._decode = msgspec.json.Decoder(self._seen.type()).decode
        self._unfamiliar = 0
        self._wanted *= GROWTH


@dataclass(slots=True)
class _Seen:
    """What was seen at one path."""

    scalars: set[type] = field(default_factory=set)
    elements: _Seen | None = None
    names: dict[str, _Seen] | None = None

    def add(self, value: Any, node: Node | None) -> None:
        """Add a value, and what is declared of its path; None for a flat field, that takes any."""
        kind = type(value)
        if node is not None and kind in node.touched:
            raise _StrangeError
        if kind is dict:
            self.names = self.names if self.names is not None else {}
            for name, child in value.items():
                known = node.children[name] if node is not None else None
                self.names.setdefault(name, _Seen()).add(child, known)
        elif kind is list:
            self.elements = self.elements or _Seen()
            for element in value:
                self.elements.add(element, node)
        elif value is not None:
            self.scalars.add(kind)

    def count(self) -> int:
        """How many names were seen at it and below."""
        below = sum(1 + child.count() for child in self.names.values()) if self.names else 0
        return below + (self.elements.count() if self.elements else 0)

    def type(self) -> Any:
        """Return the type of the values that are like those seen."""
        kinds: list[Any] = [*self.scalars]
        if self.elements is not None:
            kinds.append(list[self.elements.type()])  # type: ignore[misc]
        if self.names is not None:
            kinds.append(_object(self.names))
        return Union[*kinds, None]


def _object(names: dict[str, _Seen]) -> Any:
    attributes = {name: _attribute(name, place) for place, name in enumerate(names)}
    return msgspec.defstruct(
        "Familiar",
        [(attributes[name], seen.type(), None) for name, seen in names.items()],
        rename={attribute: name for name, attribute in attributes.items()},
        forbid_unknown_fields=True,
        gc=False,
    )


def _attribute(name: str, place: int) -> str:
    is_usual = name.isidentifier() and not name.startswith("_") and not keyword.iskeyword(name)
    return name if is_usual else f"_{place}"
