"""tests/README.md names every promise and the files whose tests try to break it."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from functools import cache
from pathlib import Path

import pytest

from tests.conftest import PROMISES

TESTS = Path(__file__).parent
ROW = re.compile(r"^\| \d+\. .*? \| `([a-z-]+)` \| (.*) \|$", flags=re.MULTILINE)


def listed() -> dict[str, set[str]]:
    """Return the test files that the table names, by promise."""
    rows = ROW.findall((TESTS / "README.md").read_text())
    return {name: set(re.findall(r"\]\(([^)]+)\)", files)) for name, files in rows}


@cache
def marked() -> dict[str, set[str]]:
    """Return the test files with a marked test, by promise."""
    files: dict[str, set[str]] = defaultdict(set)
    for path in sorted(TESTS.rglob("test_*.py")):
        text = path.read_text()
        for name in _promises(ast.parse(text)) if "mark.promise" in text else ():
            files[name].add(path.relative_to(TESTS).as_posix())
    return files


def _promises(module: ast.Module) -> set[str]:
    """Return the arguments of the marker `promise` on a module's tests; parsed, since importing takes long."""
    return {
        str(argument.value)
        for test in module.body
        if isinstance(test, ast.FunctionDef) and test.name.startswith("test_")
        for mark in test.decorator_list
        if isinstance(mark, ast.Call) and ast.unparse(mark.func) == "pytest.mark.promise"
        for argument in mark.args
        if isinstance(argument, ast.Constant)
    }


def test_the_readme_has_every_promise() -> None:
    assert tuple(listed()) == PROMISES


@pytest.mark.parametrize("promise", PROMISES)
def test_the_readme_lists_the_files_with_a_marked_test(promise: str) -> None:
    """Each file that it lists exists and has a test with the marker, and no file with one is left out."""
    assert marked()[promise]
    assert listed()[promise] == marked()[promise]


def test_no_marker_has_an_unknown_promise() -> None:
    assert set(marked()) == set(PROMISES)
