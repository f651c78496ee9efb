"""Finds the files for names on the command line: files, folders, patterns and standard input."""

from __future__ import annotations

import glob
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

from cloudtrail_elasticsearch.core.errors import FileError

STANDARD_INPUT: Final = "-"


def find_files(names: Iterable[str]) -> list[str]:
    """Return the files of these names, each once, in the order of the names.

    A folder means all files below it, sorted, except hidden files and ``.tmp`` files. A pattern (``*``, ``?``,
    ``[…]``, and ``**`` for folders of any depth) means the files and folders that match it.

    :raises FileError: a name matches no file
    """
    return list(dict.fromkeys(file for name in names for file in _find(name)))


def count_bytes(files: Iterable[str]) -> int | None:
    """Return the total size of files in bytes; None if the size of one is unknown."""
    if any(name == STANDARD_INPUT or not Path(name).is_file() for name in files):
        return None
    return sum(Path(name).stat().st_size for name in files)


def _find(name: str) -> list[str]:
    if name == STANDARD_INPUT:
        return [name]
    path = Path(name)
    if path.is_dir():
        return _require_files(name, _list_folder(path), "The folder has no file to read")
    # Before patterns, so that a file with `*` or `[` in its name can be named.
    if path.exists():
        return [name]
    if not glob.has_magic(name):
        raise FileError(f"The file {name} does not exist. Check the name; nothing was read or sent.")
    return _require_files(name, _match_pattern(name), "No file matches the pattern")


def _require_files(name: str, files: Iterable[str], problem: str) -> list[str]:
    found = list(files)
    if not found:
        raise FileError(f"{problem}: {name}. Check the name; nothing was read or sent.")
    return found


def _match_pattern(pattern: str) -> Iterator[str]:
    for name in sorted(glob.glob(pattern, recursive=True)):  # noqa: PTH207 - pathlib matches hidden files too
        path = Path(name)
        if path.is_dir() and not name.endswith("/"):  # a trailing slash means the folder that ** itself matches
            yield from _list_folder(path)
        elif path.exists() and not path.is_dir():
            yield name


def _list_folder(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        if path.is_file() and not _is_ignored(path.relative_to(folder)):
            yield str(path)


def _is_ignored(path: Path) -> bool:
    # Unfinished downloads, and files that editors and systems keep for themselves.
    return path.suffix == ".tmp" or any(part.startswith(".") for part in path.parts)
