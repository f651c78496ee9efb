"""Choose the paths with a field of their own: all paths of recorded events, then the likeliest of the models."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Final

from cloudtrail_elasticsearch.core.documents.catalogue import ValueKind
from devstack.catalogue.learned import Learned
from devstack.catalogue.tallies import Tally

BUDGET: Final = 3_300
"""The most fields and objects; more than a thousand of the index's 5,000 are left for others.

A path that is a field and an object counts as two, because its scalars have a field below it.
"""

_HEADER: Final = "# Keyword fields of the open objects, made by `make catalogue`: the likeliest within a budget.\n"

_NAMES = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}(\.[A-Za-z][A-Za-z0-9_-]{0,63})+")


def choose_paths(learned: Learned, tallies: Mapping[str, Mapping[ValueKind, Tally]]) -> list[str]:
    """Return the chosen paths, sorted. A path that is the parent of another one has scalars as well as objects."""
    likelihoods = {path: _likelihood(path, kinds) for path, kinds in tallies.items()}
    likely = (path for path, likelihood in likelihoods.items() if likelihood)
    ranked = sorted(likely, key=lambda path: (-likelihoods[path], path))
    shown = sorted(path for path, kinds in learned.items() if not all(kind.is_object for kind in kinds))
    return sorted(_within_budget(path for path in [*shown, *ranked] if _NAMES.fullmatch(path)))


def write(paths: Iterable[str]) -> str:
    """Return the contents of ``rules/fields.txt``."""
    return _HEADER + "".join(f"{path}\n" for path in paths)


def _likelihood(path: str, kinds: Mapping[ValueKind, Tally]) -> float:
    """Return the likelihood of a scalar there, halved for each name: deep members are often left out."""
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
