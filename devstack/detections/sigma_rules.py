"""Reads Sigma files, and converts their rules with pySigma's backend for an engine."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any, Final

import yaml
from sigma.backends.elasticsearch.elasticsearch_lucene import LuceneBackend
from sigma.backends.opensearch.opensearch import OpensearchLuceneBackend
from sigma.exceptions import SigmaError
from sigma.processing.pipeline import ProcessingPipeline
from sigma.rule import SigmaDetection, SigmaDetectionItem, SigmaRule

from cloudtrail_elasticsearch.core.search.server import Engine
from devstack.detections.errors import RuleError
from devstack.detections.rules import Comparison, Matches, Query, Rule, Unconverted
from devstack.detections.sigma_reference import make_matches

_BACKENDS: Final = {"elasticsearch": LuceneBackend, "opensearch": OpensearchLuceneBackend}
_SERVICE: Final = "cloudtrail"


def read_sigma_rules(file: Path, engine: Engine, pipeline: ProcessingPipeline) -> Iterator[Rule | Unconverted]:
    """Yield the rules of a file that are about CloudTrail.

    :raises RuleError: the file is not YAML
    """
    try:
        documents = list(yaml.safe_load_all(file.read_text(encoding="utf-8")))
    except (yaml.YAMLError, UnicodeDecodeError):
        raise RuleError(f"The rule file {file.name} is not YAML in UTF-8.") from None
    for document in documents:
        if isinstance(document, dict) and document.get("logsource", {}).get("service") == _SERVICE:
            # A time window of older rules: pySigma would read it as a search for a keyword.
            document.get("detection", {}).pop("timeframe", None)
            yield convert_sigma_rule(file.stem, document, engine, pipeline)


def read_pipeline(file: Path | None) -> ProcessingPipeline:
    """Return the processing pipeline of a file, as ``sigma convert -p`` takes it; an empty one without a file.

    :raises RuleError: it is not a pipeline
    """
    if file is None:
        return ProcessingPipeline()
    try:
        return ProcessingPipeline.from_yaml(file.read_text(encoding="utf-8"))
    except (SigmaError, OSError, UnicodeDecodeError) as error:
        raise RuleError(f"The pipeline {file} cannot be read: {error}") from error


def convert_sigma_rule(
    name: str, document: dict[str, Any], engine: Engine, pipeline: ProcessingPipeline
) -> Rule | Unconverted:
    """Return a rule with its search; `Unconverted` if the backend or the reference cannot express it."""
    try:
        query, _ = _convert(document, engine, pipeline)
        matches = evaluate_sigma_rule(document)
        comparisons = tuple(_find_comparisons(document, engine, pipeline))
    # The backends raise NotImplementedError for some modifiers, such as `cased`.
    except (SigmaError, NotImplementedError, RuleError) as error:
        return Unconverted(name, str(error), frozenset(_read_fields(document)))
    return Rule(name, query, matches, comparisons)


def evaluate_sigma_rule(document: dict[str, Any], is_cased: bool = False) -> Matches:
    """Return the evaluation of a rule on raw events, see `make_matches`.

    :raises SigmaError: it is not a Sigma rule
    :raises RuleError: the reference does not know a modifier
    """
    rule = SigmaRule.from_dict(deepcopy(document))
    each = [make_matches(condition.parsed, is_cased) for condition in rule.detection.parsed_condition]
    return lambda event: any(matches(event) for matches in each)


def find_searched_fields(field: str, engine: Engine, pipeline: ProcessingPipeline) -> tuple[str, ...]:
    """Return the fields that a pipeline makes of a field of a rule."""
    rule = _make_rule({"logsource": {"product": "aws", "service": _SERVICE}}, {field: "any"})
    return _convert(rule, engine, pipeline)[1]


def _convert(
    document: dict[str, Any], engine: Engine, pipeline: ProcessingPipeline
) -> tuple[Query, tuple[str, ...]]:
    """Return the search for a rule, and the fields that it searches.

    :raises SigmaError: the backend cannot express it
    """
    # A conversion changes the rule and the pipeline.
    rule = SigmaRule.from_dict(deepcopy(document))
    queries = _BACKENDS[engine](deepcopy(pipeline)).convert_rule(rule, "dsl_lucene")
    fields = [field for each in rule.detection.detections.values() for field in _find_fields(each)]
    searches = [query["query"] for query in queries]
    # Several conditions are alternatives.
    return {"bool": {"should": searches, "minimum_should_match": 1}}, tuple(dict.fromkeys(fields))


def _find_comparisons(
    document: dict[str, Any], engine: Engine, pipeline: ProcessingPipeline
) -> Iterator[Comparison]:
    """Yield each comparison of a rule, as a rule of its own."""
    rule = SigmaRule.from_dict(deepcopy(document))
    for detection in rule.detection.detections.values():
        for item in _find_items(detection):
            part = _make_rule(document, item.to_plain())
            query, fields = _convert(part, engine, pipeline)
            yield Comparison(fields, query, evaluate_sigma_rule(part), evaluate_sigma_rule(part, is_cased=True))


def _make_rule(document: dict[str, Any], detection: Any) -> dict[str, Any]:
    """Return a rule with the log source of another one, and one detection."""
    if not isinstance(detection, dict | list):
        detection = [detection]
    return {
        "title": "part",
        "logsource": document["logsource"],
        "detection": {"part": detection, "condition": "part"},
    }


def _find_items(detection: SigmaDetection) -> Iterator[SigmaDetectionItem]:
    for item in detection.detection_items:
        if isinstance(item, SigmaDetection):
            yield from _find_items(item)
        else:
            yield item


def _find_fields(detection: SigmaDetection) -> Iterator[str]:
    return (item.field for item in _find_items(detection) if item.field is not None)


def _read_fields(document: dict[str, Any]) -> Iterator[str]:
    """Yield the fields of a rule that cannot be converted; none if it cannot be read either."""
    try:
        rule = SigmaRule.from_dict(deepcopy(document))
    except SigmaError:
        return
    for detection in rule.detection.detections.values():
        yield from _find_fields(detection)
