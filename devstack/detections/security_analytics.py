"""OpenSearch Security Analytics' rules: Sigma files whose fields are searched by aliases that the user puts.

https://docs.opensearch.org/latest/security-analytics/sec-analytics-config/detectors-config/
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sigma.processing.pipeline import ProcessingItem, ProcessingPipeline
from sigma.processing.transformations import FieldMappingTransformation

from cloudtrail_elasticsearch.core.errors import RejectedRequestError
from cloudtrail_elasticsearch.core.search.server import Engine
from devstack.detections.errors import RuleError
from devstack.detections.index import OBJECT, LoadedEvents
from devstack.detections.rules import Rule, Unconverted
from devstack.detections.sigma_rules import find_searched_fields, read_sigma_rules

RULES: Final = "src/main/config/rules/cloudtrail"
LOG_TYPE: Final = "src/main/resources/OSMapping/cloudtrail_logtype.json"


@dataclass(frozen=True)
class Alias:
    """An alias of the product, the field that it stands for, and why it cannot be put."""

    name: str
    path: str
    problem: str | None = None


def read_aliases(repository: Path) -> dict[str, str]:
    """Return the alias of each raw field, from a checkout of the product's repository.

    :raises RuleError: it has no log type for CloudTrail
    """
    try:
        mappings = json.loads((repository / LOG_TYPE).read_text(encoding="utf-8"))["mappings"]
    except (OSError, ValueError, KeyError):
        raise RuleError(f"{repository} has no {LOG_TYPE}: name a checkout of security-analytics.") from None
    return {each["raw_field"]: each["ecs"] for each in mappings if "ecs" in each}


def put_aliases(
    aliases: Mapping[str, str], events: LoadedEvents, engine: Engine, pipeline: ProcessingPipeline
) -> dict[str, Alias]:
    """Put each alias into the mapping, by its raw field; a pipeline chooses the field that it stands for."""
    return {raw: _put_alias(raw, name, events, engine, pipeline) for raw, name in aliases.items()}


def _put_alias(raw: str, name: str, events: LoadedEvents, engine: Engine, pipeline: ProcessingPipeline) -> Alias:
    # A list has no name of its own in a mapping: `resources[].ARN`.
    (path, *_) = find_searched_fields(raw.replace("[]", ""), engine, pipeline)
    if events.fields.get(name, OBJECT) != OBJECT:
        return Alias(name, path)
    if events.fields.get(path, OBJECT) == OBJECT:
        return Alias(name, path, "the mapping has no such field")
    try:
        events.put_alias(name, path)
    except RejectedRequestError as error:
        return Alias(name, path, str(error))
    return Alias(name, path)


def read_security_rules(
    repository: Path, aliases: Mapping[str, Alias], engine: Engine, pipeline: ProcessingPipeline
) -> Iterator[Rule | Unconverted]:
    """Yield the product's rules for CloudTrail; they search the aliases that could be put."""
    mapping: dict[str | None, str | list[str]] = {
        raw: alias.name for raw, alias in aliases.items() if alias.problem is None
    }
    renaming = ProcessingPipeline([ProcessingItem(FieldMappingTransformation(mapping))]) if mapping else None
    for file in sorted((repository / RULES).glob("*.yml")):
        yield from read_sigma_rules(file, engine, renaming + pipeline if renaming else pipeline)


def make_alias_lines(aliases: Mapping[str, Alias], needed: frozenset[str]) -> Iterator[str]:
    """Yield how many aliases could be put, of all and of those that the rules need, and the reasons for others.

    :param needed: the raw fields of the rules
    """
    put = {raw for raw, alias in aliases.items() if alias.problem is None}
    yield f"{len(put)} of {len(aliases)} aliases can be put"
    yield f"{len(put & needed)} of the {len(needed & aliases.keys())} aliases that the rules need can be put"
    for raw in sorted(aliases.keys() - put):
        yield f"  not put: {aliases[raw].name} -> {aliases[raw].path}: {aliases[raw].problem}"
