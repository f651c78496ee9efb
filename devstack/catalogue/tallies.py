"""Count, for every path, the kinds of value that operations have there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from cloudtrail_elasticsearch.core.documents.catalogue import ValueKind
from devstack.catalogue.outlines import Outline, Recorded, kind_of
from devstack.simulator import mix

DEEPEST: Final = 5
"""Names that are followed below an open object: a shape that contains itself has no end."""


@dataclass(slots=True)
class Tally:
    """The operations that have one kind of value at a path."""

    operations: int = 0
    services: set[str] = field(default_factory=set)
    likelihood: float = 0


@dataclass(slots=True)
class _Carried:
    """An outline at a path, and how many operations of its service have it there."""

    outline: Outline
    service: str
    operations: int = 0
    likelihood: float = 0


_Carriers = dict[tuple[str, int], _Carried]


def tally(operations: Iterable[Recorded]) -> Iterator[tuple[str, dict[ValueKind, Tally]]]:
    """Yield every path with its tallies."""
    requests: _Carriers = {}
    responses: _Carriers = {}
    for recorded in operations:
        likelihood = mix.likelihood(recorded.service, recorded.operation)
        for carriers, outline in ((requests, recorded.request), (responses, recorded.response)):
            if outline is not None:
                _add(carriers, _Carried(outline, recorded.service, 1, likelihood))
    yield from _walk("requestParameters", requests, 0)
    yield from _walk("responseElements", responses, 0)


def _walk(path: str, carriers: _Carriers, depth: int) -> Iterator[tuple[str, dict[ValueKind, Tally]]]:
    kinds: dict[ValueKind, Tally] = {}
    below: dict[str, _Carriers] = {}
    for carried in carriers.values():
        found = kinds.setdefault(kind_of(carried.outline), Tally())
        found.operations += carried.operations
        found.likelihood += carried.likelihood
        found.services.add(carried.service)
        if isinstance(carried.outline, dict) and depth < DEEPEST:
            for name, outline in carried.outline.items():
                child = _Carried(outline, carried.service, carried.operations, carried.likelihood)
                _add(below.setdefault(name, {}), child)
    yield path, kinds
    for name, children in below.items():
        yield from _walk(f"{path}.{name}", children, depth + 1)


def _add(carriers: _Carriers, carried: _Carried) -> None:
    if isinstance(carried.outline, list):
        for element in carried.outline:
            _add(carriers, _Carried(element, carried.service, carried.operations, carried.likelihood))
        return
    known = carriers.setdefault((carried.service, id(carried.outline)), _Carried(carried.outline, carried.service))
    known.operations += carried.operations
    known.likelihood += carried.likelihood
