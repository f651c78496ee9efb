"""README and docs: every link works, every command exists, and lines to copy are complete."""

from __future__ import annotations

import re
import shlex
import tomllib
from collections.abc import Iterable
from importlib.metadata import requires
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from bench.page import quoted
from bench.results import read
from cloudtrail_elasticsearch.cli import _make_parser

from .pages import PAGES, ROOT, anchors, commands, links

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@each_page
def test_every_link_works(page: Path) -> None:
    """The file of a relative link exists, and so does the heading that it names."""
    broken = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if re.match(r"[a-z]+:", link):
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


@each_page
def test_no_merge_is_left_open(page: Path) -> None:
    """No page has both versions of a line and the marks between them."""
    assert re.findall(r"^(?:<{7} |={7}$|>{7} ).*", page.read_text(), flags=re.MULTILINE) == []


def test_every_page_is_in_the_index() -> None:
    """docs/README.md links to every page of docs; for the decisions it links to their folder."""
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / link.partition("#")[0]).resolve() for link in links(index)}
    pages = {page for page in PAGES if index.parent in page.parents and page.parent.name != "adr"} - {index}
    assert pages - linked == set()
    assert index.parent / "adr" in linked


def targets() -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))


@each_page
def test_make_targets_exist(page: Path) -> None:
    """Every target that a page mentions exists."""
    named = {found[1] for text in commands(page) if (found := re.match(r"make ([a-z0-9-]+)\b", text))}
    assert named - targets() == set()


def test_make_help_describes_every_target() -> None:
    """Nobody finds a target without a description."""
    told = re.findall(r"^([a-z0-9-]+):.*## ", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert targets() - set(told) == set()


@each_page
def test_the_command_line_accepts_the_documented_options(page: Path) -> None:
    """Each `cloudtrail-elasticsearch …` with arguments has an existing command and existing options."""
    for text in commands(page):
        if text.startswith("cloudtrail-elasticsearch ") and "…" not in text:
            _, *arguments = shlex.split(text)
            _make_parser().parse_args([*arguments, *_omitted(arguments)])


def _omitted(arguments: list[str]) -> list[str]:
    """Return the required arguments that a sentence leaves out of a command that it only mentions."""
    match arguments:
        case ["load"]:
            return ["FILE", "--url", "http://any"]
        case ["replay"]:
            return ["--url", "http://any"]
        case ["verify-trail"]:
            return ["s3://any"]
        case ["catalogue"]:
            return ["PATH"]
        case _:
            return []


def test_pictures_are_well_formed_and_described() -> None:
    """A browser does not show a malformed SVG. Without a title, people who cannot see it learn nothing."""
    for picture in (ROOT / "docs").rglob("*.svg"):
        names = {element.tag.rpartition("}")[2] for element in ET.parse(picture).getroot()}
        assert {"title", "desc"} <= names


def test_pictures_of_the_pages_are_small_and_described() -> None:
    """Each is used on a page, with a text for people who cannot see it."""
    shown = {
        (page.parent / path).resolve(): words
        for page in PAGES
        for words, path in re.findall(r"!\[([^\]]*)\]\(([^)\s]+)\)", page.read_text())
    }
    for picture in (ROOT / "docs" / "images").iterdir():
        assert shown[picture]
        assert picture.stat().st_size < 250_000


def installed_by_hand() -> set[str]:
    """Return the packages that the README installs if the plugin is copied."""
    line = re.search(r"`pip install (apache-airflow-providers-amazon [^`]+)`", (ROOT / "README.md").read_text())
    assert line is not None
    return set(line[1].split())


def runtime_dependencies() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {canonicalize_name(Requirement(text).name) for text in project["dependencies"]}


def brought_along(names: Iterable[str]) -> set[str]:
    """Return distributions with all of their dependencies."""
    found: set[str] = set()
    waiting = [canonicalize_name(name) for name in names]
    while waiting:
        name = waiting.pop()
        if name in found:
            continue
        found.add(name)
        needs = map(Requirement, requires(name) or [])
        waiting += [
            canonicalize_name(need.name)
            for need in needs
            if need.marker is None or need.marker.evaluate({"extra": ""})
        ]
    return found


def test_a_copied_plugin_gets_all_dependencies() -> None:
    """The line in the README and Airflow bring every dependency, and the line has no other package."""
    named = installed_by_hand()
    assert runtime_dependencies() - brought_along({"apache-airflow", *named}) == set()
    assert named <= runtime_dependencies()


def test_the_image_gets_all_dependencies() -> None:
    """The compose file's image adds the same packages; Airflow's own image has the amazon provider."""
    compose = (ROOT / "docker-compose.yaml").read_text()
    pinned = set(re.findall(r"^ +([\w.-]+)==", compose, flags=re.MULTILINE))
    assert installed_by_hand() - pinned == {"apache-airflow-providers-amazon"}


def test_the_readme_has_the_measured_figures() -> None:
    """They are the output of the last `make bench`; nobody edits them."""
    assert quoted(read()) in (ROOT / "README.md").read_text()
