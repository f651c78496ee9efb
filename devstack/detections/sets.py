"""Runs sets of rules on loaded events, each kind in its own way."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from sigma.processing.pipeline import ProcessingPipeline

from devstack.detections.compare import Outcome, compare_rule
from devstack.detections.elastic_rules import read_elastic_rules
from devstack.detections.errors import RuleError
from devstack.detections.index import LoadedEvents
from devstack.detections.panther import compare_paths, read_panther_rules
from devstack.detections.rules import Rule, Unconverted
from devstack.detections.security_analytics import (
    make_alias_lines,
    put_aliases,
    read_aliases,
    read_security_rules,
)
from devstack.detections.sigma_rules import read_pipeline, read_sigma_rules

SetOutcomes: TypeAlias = tuple[str, list[Outcome], list[str]]
"""The title of a set of rules, their outcomes, and further lines for its report."""

_SUFFIXES = (".yml", ".yaml", ".toml")


@dataclass(frozen=True)
class RuleSets:
    """Where the sets of rules are; those that are not given are not run."""

    rules: tuple[Path, ...] = ()
    """Folders and files of Sigma's and Elastic's rules."""
    security_analytics: Path | None = None
    panther: Path | None = None
    pipeline: Path | None = None


def run_sets(sets: RuleSets, events: LoadedEvents) -> Iterator[SetOutcomes]:
    """Run each set, and yield its outcomes.

    :raises RuleError: a file or folder has no rules, or cannot be read
    """
    pipeline = read_pipeline(sets.pipeline)
    for path in sets.rules:
        yield str(path), [compare_rule(rule, events) for rule in read_rules(path, events, pipeline)], []
    # Last, because they add aliases to the mapping.
    if sets.panther:
        yield "Panther, paths", [compare_paths(*rule, events) for rule in read_panther_rules(sets.panther)], []
    if sets.security_analytics:
        yield _run_security_analytics(sets.security_analytics, events, pipeline)


def read_rules(path: Path, events: LoadedEvents, pipeline: ProcessingPipeline) -> Iterator[Rule | Unconverted]:
    """Yield the rules of a file, or of all files below a folder.

    :raises RuleError: there are none, or a file cannot be read
    """
    files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.suffix in _SUFFIXES)
    if not files:
        raise RuleError(
            f"{path} has no rules: name a file or a folder with files that end in {', '.join(_SUFFIXES)}."
        )
    for file in files:
        if file.suffix == ".toml":
            yield from read_elastic_rules(file, events.fields)
        else:
            yield from read_sigma_rules(file, events.index.server.engine, pipeline)


def _run_security_analytics(repository: Path, events: LoadedEvents, pipeline: ProcessingPipeline) -> SetOutcomes:
    engine = events.index.server.engine
    raw = read_security_rules(repository, {}, engine, ProcessingPipeline())
    needed = frozenset(field for rule in raw for field in rule.fields)
    aliases = put_aliases(read_aliases(repository), events, engine, pipeline)
    rules = read_security_rules(repository, aliases, engine, pipeline)
    outcomes = [compare_rule(rule, events) for rule in rules]
    return "OpenSearch Security Analytics", outcomes, list(make_alias_lines(aliases, needed))
