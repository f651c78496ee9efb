"""Files that a user names are confined to a folder: the existence of files outside is not revealed."""

from __future__ import annotations

from pathlib import Path

import pytest

from cloudtrail_elasticsearch.core.errors import RulesError
from cloudtrail_elasticsearch.core.user_files import confine_file


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Return a folder with a file, beside another file, and links to both."""
    folder = tmp_path / "rules"
    (folder / "deep").mkdir(parents=True)
    (folder / "mine.yaml").write_text("rules: []")
    (tmp_path / "outside.yaml").write_text("rules: []")
    (tmp_path / "rules-of-others").mkdir()
    (folder / "inner").symlink_to("mine.yaml")
    (folder / "outer").symlink_to(tmp_path / "outside.yaml")
    (folder / "up").symlink_to(tmp_path)
    (folder / "loop").symlink_to("loop")
    (folder / "dangling").symlink_to(tmp_path / "nothing")
    return folder


def confine(name: str, folder: Path) -> Path:
    return confine_file(name, folder, "The Airflow variable x", "Put it there.")


@pytest.mark.parametrize("name", ["mine.yaml", "./mine.yaml", "deep/../mine.yaml", "inner", "{folder}/mine.yaml"])
def test_a_file_of_the_folder_is_found(folder: Path, name: str) -> None:
    """By a relative name, an absolute one, or a link inside the folder, as Kubernetes mounts files."""
    assert confine(name.format(folder=folder), folder) == folder / "mine.yaml"


def test_the_folder_itself_can_be_a_link(folder: Path, tmp_path: Path) -> None:
    """The file is found by either path."""
    link = tmp_path / "link"
    link.symlink_to(folder)
    for name in ("mine.yaml", f"{link}/mine.yaml", f"{folder}/mine.yaml"):
        assert confine(name, link) == folder / "mine.yaml"


@pytest.mark.promise("closed")
@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "/etc/no-such-file",
        "../outside.yaml",
        "../nothing.yaml",
        "deep/../../outside.yaml",
        "{folder}/../outside.yaml",
        "{folder}-of-others/mine.yaml",
        "outer",
        "up/outside.yaml",
        "up/nothing.yaml",
        "dangling",
        "a\0b",
        "//etc/passwd",
        "/dev/zero",
        "/proc/self/environ",
    ],
)
def test_a_name_outside_the_folder_is_rejected(folder: Path, name: str) -> None:
    """The error is the same whether or not the file exists. It has the setting with the name, and the folder."""
    name = name.format(folder=folder)
    with pytest.raises(RulesError) as raised:
        confine(name, folder)
    assert str(raised.value) == (
        f"The Airflow variable x is {name!r}, which is not below the folder {folder}. Put it there."
    )
    assert raised.value.__cause__ is None
    assert raised.value.__context__ is None


def test_a_loop_of_links_is_a_rules_error(folder: Path) -> None:
    """Whichever error Python raises for it."""
    with pytest.raises(RulesError):
        confine("loop", folder)
