"""Chooses the paths that have a field of their own: all that events showed, then the likeliest of the models."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from cloudtrail_elasticsearch.core.catalogue import ValueKind
from devstack.catalogue.learned import Learned
from devstack.catalogue.tallies import Tally

BUDGET: Final = 3_300
"""So many fields and objects, which leaves more than a thousand of the index's 5,000 for others.

A path that is a field and an object counts as two, for its scalars have a field below it.
"""

_HEADER: Final = "# Keyword fields of the open objects, made by `make catalogue`: the likeliest within a budget.\n"

_NAMES = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}(\.[A-Za-z][A-Za-z0-9_-]{0,63})+")


def declared(learned: Learned, tallies: Mapping[str, Mapping[ValueKind, Tally]]) -> list[str]:
    """Return the paths, sorted; one that is also the parent of another has scalars as well as objects."""
    likelihoods = {path: _likelihood(path, kinds) for path, kinds in tallies.items()}
    likely = (path for path, likelihood in likelihoods.items() if likelihood)
    ranked = sorted(likely, key=lambda path: (-likelihoods[path], path))
    shown = sorted(path for path, kinds in learned.items() if not all(kind.is_object for kind in kinds))
    return sorted(_within_budget(path for path in [*shown, *ranked] if _NAMES.fullmatch(path)))


def write(paths: Iterable[str]) -> str:
    """Return the list as ``rules/fields.txt`` has it."""
    return _HEADER + "".join(f"{path}\n" for path in paths)


def _likelihood(path: str, kinds: Mapping[ValueKind, Tally]) -> float:
    """Return how likely an event has a scalar there, halved for every name: deep ones are often left out."""
    likelihood = sum(tally.likelihood for kind, tally in kinds.items() if not kind.is_object)
    return likelihood * 0.5 ** path.count(".")


def _within_budget(paths: Iterable[str]) -> set[str]:
    chosen: set[str] = set()
    parents: set[str] = set()
    for path in paths:
        more = chosen | {path}, parents | _parents(path)
        if sum(map(len, more)) > BUDGET:
            break
        chosen, parents = more
    return chosen


def _parents(path: str) -> set[str]:
    names = path.split(".")
    return {".".join(names[:end]) for end in range(2, len(names))}
