"""README and docs: every link leads somewhere, every command exists, and the lines to copy are complete."""

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
from cloudtrail_elasticsearch.cli import _parser

from .pages import PAGES, ROOT, anchors, commands, links

each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))


@each_page
def test_links_lead_somewhere(page: Path) -> None:
    """A relative link's file is there, and so is the heading that it names."""
    broken = []
    for link in links(page):
        path, _, anchor = link.partition("#")
        target = (page.parent / path).resolve() if path else page
        if re.match(r"[a-z]+:", link):
            continue
        if not target.exists() or (anchor and anchor not in anchors(target)):
            broken.append(link)
    assert broken == []


def test_every_page_is_in_the_index() -> None:
    """docs/README.md links to every page of docs, but for the decisions, whose folder it links to."""
    index = ROOT / "docs" / "README.md"
    linked = {(index.parent / link.partition("#")[0]).resolve() for link in links(index)}
    pages = {page for page in PAGES if index.parent in page.parents and page.parent.name != "adr"} - {index}
    assert pages - linked == set()
    assert index.parent / "adr" in linked


def targets() -> set[str]:
    return set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), flags=re.MULTILINE))


@each_page
def test_make_targets_exist(page: Path) -> None:
    """Whatever a page says to make can be made."""
    named = {found[1] for text in commands(page) if (found := re.match(r"make ([a-z0-9-]+)\b", text))}
    assert named - targets() == set()


def test_make_help_tells_of_every_target() -> None:
    """A target without a word on what it does is found by nobody."""
    told = re.findall(r"^([a-z0-9-]+):.*## ", (ROOT / "Makefile").read_text(), flags=re.MULTILINE)
    assert targets() - set(told) == set()


@each_page
def test_the_command_line_takes_what_is_shown(page: Path) -> None:
    """Each `cloudtrail-elasticsearch …` that is shown with arguments has a command and options that there are."""
    for text in commands(page):
        if text.startswith("cloudtrail-elasticsearch ") and "…" not in text:
            _, *arguments = shlex.split(text)
            _parser().parse_args([*arguments, *_omitted(arguments)])


def _omitted(arguments: list[str]) -> list[str]:
    """What a sentence leaves out of a command that it only names."""
    match arguments:
        case ["load"]:
            return ["FILE", "--url", "http://any"]
        case ["replay"]:
            return ["--url", "http://any"]
        case ["catalogue"]:
            return ["PATH"]
        case _:
            return []


def test_pictures_are_well_formed_and_described() -> None:
    """An SVG that a browser refuses shows as nothing; one without a title says nothing to who cannot see it."""
    for picture in (ROOT / "docs").rglob("*.svg"):
        names = {element.tag.rpartition("}")[2] for element in ET.parse(picture).getroot()}
        assert {"title", "desc"} <= names


def test_pictures_of_the_pages_are_small_and_described() -> None:
    """Each is shown somewhere, with words for who cannot see it."""
    shown = {
        (page.parent / path).resolve(): words
        for page in PAGES
        for words, path in re.findall(r"!\[([^\]]*)\]\(([^)\s]+)\)", page.read_text())
    }
    for picture in (ROOT / "docs" / "images").iterdir():
        assert shown[picture]
        assert picture.stat().st_size < 250_000


def installed_by_hand() -> set[str]:
    """What the README says to install where the plugin is copied."""
    line = re.search(r"`pip install (apache-airflow-providers-amazon [^`]+)`", (ROOT / "README.md").read_text())
    assert line is not None
    return set(line[1].split())


def runtime_dependencies() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    return {canonicalize_name(Requirement(text).name) for text in project["dependencies"]}


def brought_along(names: Iterable[str]) -> set[str]:
    """Distributions, and all that installing them installs."""
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


def test_a_copied_plugin_gets_all_it_needs() -> None:
    """What the line names, with Airflow and all they bring, is every dependency; and it names no other."""
    named = installed_by_hand()
    assert runtime_dependencies() - brought_along({"apache-airflow", *named}) == set()
    assert named <= runtime_dependencies()


def test_the_image_gets_all_it_needs() -> None:
    """The compose file's image adds the same; the amazon provider is in Airflow's own image."""
    compose = (ROOT / "docker-compose.yaml").read_text()
    pinned = set(re.findall(r"^ +([\w.-]+)==", compose, flags=re.MULTILINE))
    assert installed_by_hand() - pinned == {"apache-airflow-providers-amazon"}


def test_the_front_page_quotes_the_figures_that_were_measured() -> None:
    """Nobody edits them: they are what `make bench` wrote last."""
    assert quoted(read()) in (ROOT / "README.md").read_text()
