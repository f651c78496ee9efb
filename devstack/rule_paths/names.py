"""Reads the names of fields from public detection rules: Sigma, Elastic's, Panther's, and lists of aliases."""

from __future__ import annotations

import ast
import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from cloudtrail_elasticsearch.core.documents.declared_fields import OPEN_OBJECTS

FLATTENED: Final = {
    "additional_eventdata": "additionalEventData",
    "request_parameters": "requestParameters",
    "response_elements": "responseElements",
    "service_event_details": "serviceEventDetails",
}
"""The flat fields of Elastic's integration, below ``aws.cloudtrail.flattened``."""

_NAME: Final = r"[A-Za-z][A-Za-z0-9_-]{0,63}"
_is_path: Final = re.compile(rf"(?:{'|'.join(OPEN_OBJECTS)})(?:\.{_NAME})+").fullmatch
_find_flattened: Final = re.compile(rf"aws\.cloudtrail\.flattened\.(\w+)((?:\.{_NAME})+)").finditer
_READERS: Final = frozenset({"get", "deep_get", "deep_walk"})


def read_scalars(file: Path) -> Iterator[str]:
    """Yield the paths of the open objects whose scalars the rules in a file compare."""
    match file.suffix:
        case ".yml" | ".yaml":
            names = _read_sigma(file)
        case ".toml":
            names = _read_elastic(file)
        case ".json":
            names = _read_aliases(json.loads(file.read_bytes()))
        case _:
            names = iter(())
    yield from filter(_is_path, names)


def read_members(file: Path) -> Iterator[str]:
    """Yield the paths of the open objects that a Python rule reads; it may read an object as a whole."""
    if file.suffix != ".py":
        return
    for node in ast.walk(ast.parse(file.read_bytes())):
        if isinstance(node, ast.Call):
            path = ".".join(_read_call(node))
            if _is_path(path):
                yield path


def _read_sigma(file: Path) -> Iterator[str]:
    for rule in yaml.safe_load_all(file.read_bytes()):
        if isinstance(rule, dict) and isinstance(rule.get("detection"), dict):
            yield from _read_keys(rule["detection"])


def _read_keys(selection: Any) -> Iterator[str]:
    """Yield the names of fields in a selection, without their modifiers."""
    if isinstance(selection, dict):
        for key, value in selection.items():
            yield str(key).partition("|")[0]
            yield from _read_keys(value)
    elif isinstance(selection, list):
        for each in selection:
            yield from _read_keys(each)


def _read_elastic(file: Path) -> Iterator[str]:
    rule = tomllib.loads(file.read_text()).get("rule", {})
    for text in (
        rule.get("query", ""),
        json.dumps(rule.get("new_terms", {})),
        json.dumps(rule.get("threshold", {})),
    ):
        for found in _find_flattened(text):
            if found[1] in FLATTENED:
                yield f"{FLATTENED[found[1]]}{found[2]}"


def _read_aliases(value: Any) -> Iterator[str]:
    """Yield the fields of a log type of Security Analytics."""
    if isinstance(value, dict):
        if isinstance(value.get("raw_field"), str):
            yield value["raw_field"].replace("[]", "")
        for child in value.values():
            yield from _read_aliases(child)
    elif isinstance(value, list):
        for child in value:
            yield from _read_aliases(child)


def _read_call(call: ast.expr) -> list[str]:
    """Return the names in ``event.deep_get("a", "b")``, ``deep_get(event, "a")``, ``event.get("a").get("b")``."""
    if not isinstance(call, ast.Call):
        return []
    names = [arg.value for arg in call.args if isinstance(arg, ast.Constant) and isinstance(arg.value, str)]
    if isinstance(call.func, ast.Attribute) and call.func.attr in _READERS:
        # The second argument of `get` is a default.
        own = names[:1] if call.func.attr == "get" else names
        return [*_read_call(call.func.value), *own]
    if isinstance(call.func, ast.Name) and call.func.id in _READERS and call.args:
        return [*_read_call(call.args[0]), *names]
    return []
