"""Reads the YAML of a rules file. A hostile file costs no more than its size, and is never quoted.

Aliases (a few lines can expand to gigabytes), tags and deep nesting are rejected. Texts that YAML 1.1 reads as
dates or as numbers in base 60 stay texts.
"""

from __future__ import annotations

import re
from typing import Any, Final

import yaml

from cloudtrail_elasticsearch.core.errors import RulesError

DEEPEST: Final = 64
MOST_EVENTS: Final = 100_000
"""The most parser events in a file; a value is one or two events."""

# The C parser is faster, but some builds of PyYAML lack it.
_SafeLoader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_AS_TEXT: Final = {f"tag:yaml.org,2002:{kind}" for kind in ("timestamp", "merge", "value")}


class _Loader(_SafeLoader):  # type: ignore[misc]
    """Reads null, booleans and plain numbers; every other scalar is a text."""

    yaml_implicit_resolvers: Final = {
        first: [
            # No colons: YAML 1.1 reads 1:30 as a number in base 60.
            (tag, re.compile(f"(?![^:]*:)(?:{pattern.pattern})", pattern.flags))
            for tag, pattern in resolvers
            if tag not in _AS_TEXT
        ]
        for first, resolvers in _SafeLoader.yaml_implicit_resolvers.items()
    }


def parse_yaml(content: bytes, name: str) -> Any:
    """Return the value of a YAML text.

    :param name: the file's name, for the error
    :raises RulesError: it is not YAML, or uses features that rules do not need; it quotes and chains nothing
    """
    line = 0
    try:
        # Before anything is built, because a few lines with aliases can expand to gigabytes.
        _check_events(content, name)
        return yaml.load(content, _Loader)  # noqa: S506 - it is a safe loader
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        line, mistake = mark.line + 1 if mark else 0, "is not YAML"
    except (ValueError, OverflowError, RecursionError):
        mistake = "is not YAML: a number in it cannot be read"
    raise _make_error(name, line, mistake)  # outside the handlers: a chained parser error would quote the text


def _check_events(content: bytes, name: str) -> None:
    depth = 0
    event: Any
    for number, event in enumerate(yaml.parse(content, _Loader)):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        refused = _refusal(event, depth, number)
        if refused:
            raise _make_error(name, event.start_mark.line + 1, refused)


def _make_error(name: str, line: int, mistake: str) -> RulesError:
    """Return the error of a line, counted from one; 0 if it is unknown."""
    return RulesError(f"The rules file {name}{f', line {line}' if line else ''} {mistake}.")


def _refusal(event: Any, depth: int, number: int) -> str:
    if getattr(event, "anchor", None) is not None:
        return "has an anchor or an alias: write the value out"
    if getattr(event, "tag", None) is not None:
        return "has a tag: leave it out"
    if depth > DEEPEST:
        return f"is nested deeper than {DEEPEST} levels"
    return f"has more than {MOST_EVENTS} values" if number > MOST_EVENTS else ""
