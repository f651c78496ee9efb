"""The paths that Panther's Python rules for CloudTrail read from an event, and whether they are fields.

A rule is read, not run: calls of ``get``, ``deep_get`` and ``deep_walk`` with constant names, and subscripts, on
the event or on a variable that holds a part of it.

https://github.com/panther-labs/panther-analysis
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from devstack.detections.compare import Outcome, Result
from devstack.detections.errors import RuleError
from devstack.detections.index import LoadedEvents

RULES: Final = "rules/aws_cloudtrail_rules"
HELPERS: Final = "global_helpers"

_EVENT: Final = "event"
_READERS: Final = frozenset({"get", "deep_get", "deep_walk"})
_OWN_PREFIX: Final = "p_"
"""Panther adds fields of this prefix to each event."""


def read_panther_rules(repository: Path) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the name of each rule, and the paths that it reads; of an object and a path in it, the path alone.

    :raises RuleError: the folder is no checkout of Panther's rules
    """
    files = sorted((repository / RULES).glob("*.py"))
    if not files:
        raise RuleError(f"{repository} has no {RULES}: name a checkout of panther-analysis.")
    helpers = dict(_read_helpers(repository / HELPERS))
    for file in files:
        paths = {path for function in _read_functions(file) for path in _read_paths(function, helpers)}
        yield file.stem, frozenset(path for path in paths if not _is_parent(path, paths))


def compare_paths(name: str, paths: frozenset[str], events: LoadedEvents) -> Outcome:
    """Return whether each path is a declared field, or an object that has fields."""
    missing = tuple(sorted(path for path in paths if path not in events.fields))
    result = Result.TOO_FEW if missing else Result.EQUAL
    reasons = tuple(f"{path}: not mapped" for path in missing)
    return Outcome(name, result, len(paths), len(paths) - len(missing), reasons, missing)


@dataclass
class _PathReader(ast.NodeVisitor):
    """Collects the paths that one function reads."""

    helpers: Mapping[str, frozenset[str]]
    parts: dict[str, str]
    """The variables that hold the event (an empty path) or a part of it."""
    paths: set[str]

    def visit_Call(self, node: ast.Call) -> None:
        """Collect a call's own path, and those of a helper that gets the event."""
        self._collect(node)
        if isinstance(node.func, ast.Name) and node.args and self._find_path(node.args[0]) == "":
            self.paths |= self.helpers.get(node.func.id, frozenset())
        self.generic_visit(node)

    def visit_Subscript(self, node: ast.Subscript) -> None:
        """Collect ``event["name"]``."""
        self._collect(node)
        self.generic_visit(node)

    def visit_Assign(self, node: ast.Assign) -> None:
        """Record a variable that holds a part of the event."""
        self.generic_visit(node)
        if len(node.targets) == 1:
            self._bind(node.targets[0], node.value)

    def visit_NamedExpr(self, node: ast.NamedExpr) -> None:
        """Record a variable that an expression sets."""
        self.generic_visit(node)
        self._bind(node.target, node.value)

    def visit_For(self, node: ast.For) -> None:
        """Record a variable that takes each value of a list."""
        self._bind(node.target, node.iter)
        self.generic_visit(node)

    def visit_comprehension(self, node: ast.comprehension) -> None:
        """Record a variable of a comprehension."""
        self._bind(node.target, node.iter)
        self.generic_visit(node)

    def generic_visit(self, node: ast.AST) -> None:
        """Visit the variables of a comprehension before the expression that uses them."""
        for generator in getattr(node, "generators", ()):
            self.visit(generator)
        super().generic_visit(node)

    def _collect(self, node: ast.expr) -> None:
        path = self._find_path(node)
        if path and not path.startswith(_OWN_PREFIX):
            self.paths.add(path)

    def _bind(self, target: ast.expr, value: ast.expr) -> None:
        path = self._find_path(value)
        if path is not None and isinstance(target, ast.Name):
            self.parts[target.id] = path

    def _find_path(self, node: ast.expr) -> str | None:
        """Return the path of the part of the event that an expression is; None if it is anything else."""
        match node:
            case ast.Name(id=name):
                return self.parts.get(name)
            case ast.BoolOp(values=[first, *_]):
                return self._find_path(first)
            case ast.Subscript(value=value, slice=ast.Constant(value=name)):
                return _join(self._find_path(value), [name] if isinstance(name, str) else [])
            case ast.Call(func=ast.Attribute(value=value, attr="get"), args=[name, *_]):
                return _join(self._find_path(value), _read_names([name]))
            case ast.Call(func=ast.Attribute(value=value, attr=reader), args=names) if reader in _READERS:
                return _join(self._find_path(value), _read_names(names))
            case ast.Call(func=ast.Name(id=reader), args=[value, *names]) if reader in _READERS:
                return _join(self._find_path(value), _read_names(names))
        return None


def _read_helpers(folder: Path) -> Iterator[tuple[str, frozenset[str]]]:
    """Yield the functions that get an event, with the paths that they read."""
    for file in sorted(folder.glob("*.py")):
        for function in _read_functions(file):
            if function.args.args and function.args.args[0].arg == _EVENT:
                yield function.name, _read_paths(function, {})


def _read_functions(file: Path) -> Iterator[ast.FunctionDef]:
    tree = ast.parse(file.read_text(encoding="utf-8"))
    return (node for node in tree.body if isinstance(node, ast.FunctionDef))


def _read_paths(function: ast.FunctionDef, helpers: Mapping[str, frozenset[str]]) -> frozenset[str]:
    reader = _PathReader(helpers, {_EVENT: ""}, set())
    reader.visit(function)
    return frozenset(reader.paths)


def _read_names(nodes: list[ast.expr]) -> list[str] | None:
    names = [node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)]
    return names if len(names) == len(nodes) else None


def _join(path: str | None, names: list[str] | None) -> str | None:
    return None if path is None or names is None else ".".join(filter(None, [path, *names]))


def _is_parent(path: str, paths: set[str]) -> bool:
    return any(other.startswith(f"{path}.") for other in paths)
