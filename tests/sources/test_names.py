"""Names on the command line: files, folders, patterns, standard input."""

from __future__ import annotations

import os
from itertools import islice
from pathlib import Path

import pytest

from cloudtrail_elasticsearch.core.errors import FileError
from cloudtrail_elasticsearch.sources.files import Files, find_files, read_lines
from cloudtrail_elasticsearch.sources.files.names import count_bytes
from tests.sources.spellings import records
from tests.sources.test_spellings import EVENTS


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("b.json", "a/z.json", "a/b/c.json.gz", ".hidden", "a/.git/x", "half.tmp", "[odd].json"):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(records(EVENTS[:1]))
    return tmp_path


def names(folder: Path, *asked: str) -> list[str]:
    return [os.path.relpath(file, folder) for file in find_files([str(folder / name) for name in asked])]


def test_a_folder_is_all_its_files(folder: Path) -> None:
    """Sorted, at any depth, without hidden and incomplete ones."""
    assert names(folder, "") == ["[odd].json", "a/b/c.json.gz", "a/z.json", "b.json"]


def test_a_pattern_is_all_matching_files(folder: Path) -> None:
    """** matches folders of any depth. A matching folder is all its files. Each file is read once."""
    assert names(folder, "*.json") == ["[odd].json", "b.json"]
    assert names(folder, "**/*.json*") == ["[odd].json", "a/b/c.json.gz", "a/z.json", "b.json"]
    assert names(folder, "a*") == ["a/b/c.json.gz", "a/z.json"]
    assert names(folder, "b.json", "*.json", "") == ["b.json", "[odd].json", "a/b/c.json.gz", "a/z.json"]


def test_an_existing_file_is_not_read_as_a_pattern(folder: Path) -> None:
    """A name with brackets is a file, if one exists."""
    assert names(folder, "[odd].json") == ["[odd].json"]


@pytest.mark.parametrize("name", ["missing.json", "*.csv", "a/b/empty", "missing/**"])
def test_a_name_that_stands_for_nothing_is_an_error(folder: Path, name: str) -> None:
    (folder / "a/b/empty").mkdir()
    with pytest.raises(FileError, match=r"nothing was read or sent") as raised:
        find_files([str(folder / "b.json"), str(folder / name)])
    assert name in str(raised.value)


def test_bytes_are_counted_where_they_are_known(folder: Path) -> None:
    assert count_bytes([str(folder / "b.json")] * 2) == 2 * len(records(EVENTS[:1]))
    assert count_bytes(["-"]) is None
    assert count_bytes([str(folder / "gone")]) is None


def test_a_file_that_cannot_be_opened_does_not_affect_others(folder: Path) -> None:
    """It was deleted, or its permissions deny reading."""
    files = Files([str(folder / "b.json"), str(folder / "gone"), str(folder / "a/z.json")])
    assert len(list(files.lines())) == 2
    assert [report.read for report in files.reports] == [1, 0, 1]
    assert "No such file" in str(files.reports[1].error)
    assert not files.are_sound


def test_lines_are_all_read_before_an_error_is_raised(folder: Path) -> None:
    """`read_lines` is for callers that do not need a report."""
    (folder / "b.json").write_bytes(records(EVENTS[:2])[:-20])
    lines = read_lines([str(folder / "b.json"), str(folder / "a")])
    assert len(list(islice(lines, 4))) == 4
    with pytest.raises(FileError, match=r"b\.json: .*cut short"):
        next(lines)
