"""Reads the names of fields from public detection rules: Sigma, Elastic's, Panther's, and lists of aliases."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import yaml

from cloudtrail_elasticsearch.core.documents.declared_fields import OPEN_OBJECTS
from devstack.detections.panther import RULES, read_panther_rules

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


def read_members(repository: Path) -> Iterator[str]:
    """Yield the paths of the open objects that Panther's rules read, as a scalar or as an object.

    :param repository: a checkout of panther-analysis; any other folder has none
    """
    if (repository / RULES).is_dir():
        for _, paths in read_panther_rules(repository):
            yield from filter(_is_path, paths)


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
