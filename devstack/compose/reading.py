"""Read docker-compose.yaml as Docker Compose does: anchors merged, variables replaced."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
COMPOSE_FILE = ROOT / "docker-compose.yaml"

_REFERENCE = re.compile(r"\$(?:(?P<escaped>\$)|\{(?P<name>\w+)(?P<operator>:\?|:-)?(?P<text>[^}]*)\})")


class UnsetVariableError(Exception):
    """A required variable is not set; the text is the sentence that Compose prints."""


def interpolate(text: str, variables: Mapping[str, str]) -> str:
    """Replace `${NAME}`, `${NAME:-default}`, `${NAME:?sentence}` and `$$`, the forms that the file uses.

    :raises UnsetVariableError: a variable with a sentence is not set
    """

    def value(match: re.Match[str]) -> str:
        if match["escaped"]:
            return "$"
        found = variables.get(match["name"], "")
        if match["operator"] == ":?" and not found:
            raise UnsetVariableError(match["text"])
        return found or match["text"]

    return _REFERENCE.sub(value, text)


def _resolve(node: Any, variables: Mapping[str, str]) -> Any:
    if isinstance(node, str):
        return interpolate(node, variables)
    if isinstance(node, list):
        return [_resolve(item, variables) for item in node]
    if isinstance(node, dict):
        return {key: _resolve(value, variables) for key, value in node.items()}
    return node


def load(variables: Mapping[str, str]) -> dict[str, Any]:
    """Return the project as Compose sees it, without the `x-` fragments."""
    document = yaml.safe_load(COMPOSE_FILE.read_text())
    used = {key: value for key, value in document.items() if not key.startswith("x-")}
    resolved: dict[str, Any] = _resolve(used, variables)
    return resolved


def _referenced(operator: str | None) -> list[str]:
    references = _REFERENCE.finditer(COMPOSE_FILE.read_text())
    return [one["name"] for one in references if one["name"] and one["operator"] == operator]


def required_variables() -> set[str]:
    """Return the names without which Compose stops."""
    return set(_referenced(":?"))


def plain_variables() -> set[str]:
    """Return the names that Compose silently replaces by nothing if they are not set."""
    return set(_referenced(None))
