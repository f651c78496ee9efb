"""The words for mistakes in a rules file, which quote nothing unless it is certain that the file holds rules."""

from __future__ import annotations

import re
from typing import Any, Final

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*(?:-[A-Za-z0-9]+)*")
_PLACE: Final = re.compile(r" - at `(\$[\w.\[\]]*)`$")
_QUOTES_NOTHING: Final = re.compile(r"Object missing required field `\w+`|Expected `[\w |]+`, got `\w+`")
"""The messages of msgspec that name only fields of the form and types."""


def describe_mistake(message: str, root: str) -> str:
    """Return one of msgspec's validation messages without its quotes from the file.

    :param root: the place in the file of the value that was validated; ``$`` for the whole file
    """
    place = _PLACE.search(message)
    at = root if place is None else f"{root}{place[1].removeprefix('$')}"
    at = "" if at == "$" else f" at {at}"
    text = _PLACE.sub("", message)
    if _QUOTES_NOTHING.fullmatch(text):
        return f"{text}{at}"
    if text.startswith("Object contains unknown field"):
        return f"a key{at} is not one that docs/rules.md lists"
    return f"the value{at} is not one that docs/rules.md lists"


def name_rule(rule: Any, number: int) -> str:
    """Return the words for a rule at a position from 0. Its name is quoted only if it looks like a name."""
    name = rule.get("name") if isinstance(rule, dict) else None
    if isinstance(name, str) and _NAME.fullmatch(name):
        return f"rule {name!r}"
    return f"rule number {number + 1}"
