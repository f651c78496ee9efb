"""Chooses the paths that get a field: those with scalars that rules compare, and those that they may read."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cloudtrail_elasticsearch.core.documents.catalogue import Catalogue

_HEADER: Final = "# Paths whose scalars public detection rules read, made by `make rule-paths`.\n"


def choose_paths(
    scalars: Iterable[str], members: Iterable[str], known: Catalogue, declared: Iterable[str]
) -> list[str]:
    """Return the paths whose scalars rules read, sorted.

    :param scalars: paths that rules compare with a value
    :param members: paths that rules read, as a scalar or as an object
    :param known: the kinds at every path
    :param declared: the paths that have fields; one with fields below it holds objects
    """
    compared, read = set(scalars), set(members)
    # A field has no fields below it, so a path that has scalars in other events keeps its own; not an open object.
    read = {path for path in read if not any(_has_scalars(parent, known) for parent in _parents(path)[1:])}
    holding = _all_parents({*declared, *read, *compared})
    read = {path for path in read if path not in holding and _may_hold_scalars(path, known)}
    return sorted(compared - _all_parents(compared) | read)


def write(paths: Iterable[str]) -> str:
    """Return the contents of ``rules/detections.txt``."""
    return _HEADER + "".join(f"{path}\n" for path in paths)


def _all_parents(paths: Iterable[str]) -> set[str]:
    return {parent for path in paths for parent in _parents(path)}


def _parents(path: str) -> list[str]:
    names = path.split(".")
    return [".".join(names[:end]) for end in range(1, len(names))]


def _has_scalars(path: str, known: Catalogue) -> bool:
    return any(not found.kind.is_object for found in known[path].occurrences)


def _may_hold_scalars(path: str, known: Catalogue) -> bool:
    return not known[path].occurrences or _has_scalars(path, known)
