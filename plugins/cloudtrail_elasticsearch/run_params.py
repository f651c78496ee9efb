"""Checks all params of a run before anything is fetched."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from typing import Any, Final

from cloudtrail_elasticsearch.core.errors import PlanError
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.nearest import find_nearest_name

Schema = Mapping[str, Any]

ADDED_BY_AIRFLOW: Final = frozenset({"openlineage"})
"""Names that Airflow itself adds to a run's conf; a run triggered by another DAG has this one.

https://airflow.apache.org/docs/apache-airflow-providers-standard/stable/operators/trigger_dag_run.html
"""

_EXCLUDING: Final = (("replay", "verify"),)


def check_params(declared: Mapping[str, Schema], params: Mapping[str, Any], conf: Mapping[str, Any]) -> None:
    """Check a run's params against those that its DAG declares.

    :param declared: the schema of each param, as in `params.PARAMS`
    :param params: the values, those of the conf included
    :param conf: the run's conf; Airflow accepts any name in it
    :raises PlanError: a name is unknown, a value is invalid, or two values exclude each other
    :raises MappingError: the index is not a valid index name
    """
    _check_names(declared, conf)
    for name, schema in declared.items():
        if name in params and not _is_valid(params[name], schema):
            raise PlanError(
                f"The param {name} is {_quote_short(params[name])}; it must be {_describe_schema(schema)}."
            )
    if "index" in declared and "index" in params:
        # Raises if the name is not valid; the schema alone cannot check it.
        IndexPattern(params["index"])
    for one, other in _EXCLUDING:
        if params.get(one) is True and params.get(other) is True:
            raise PlanError(f"The params {one} and {other} exclude each other: set one of them to false.")


def _check_names(declared: Mapping[str, Schema], conf: Mapping[str, Any]) -> None:
    for name in conf:
        # Airflow accepts unknown names in a conf, so a misspelt one would be ignored.
        if name in declared or name in ADDED_BY_AIRFLOW:
            continue
        meant = find_nearest_name(name, declared)
        hint = f" Did you mean {meant}?" if meant else ""
        raise PlanError(
            f"The run's conf has {_quote_short(name)}, which is not a param of this DAG.{hint} "
            f"The params are {', '.join(declared)}."
        )


def _is_valid(value: Any, schema: Schema) -> bool:
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    return any(_CHECKS[kind](value, schema) for kind in kinds)


def _is_valid_text(value: Any, schema: Schema) -> bool:
    if not isinstance(value, str) or len(value) < schema.get("minLength", 0):
        return False
    if "enum" in schema:
        return value in schema["enum"]
    if schema.get("format") == "date":
        return _is_day(value)
    if schema.get("format") == "date-time":
        return _is_time(value)
    # A pattern's `$` also matches before a final line end.
    return re.search(schema.get("pattern", ""), value.replace("\n", " ")) is not None


def _is_day(text: str) -> bool:
    try:
        # `fromisoformat` alone also takes 20261120 and days of weeks.
        return date.fromisoformat(text).isoformat() == text
    except ValueError:
        return False


def _is_time(text: str) -> bool:
    try:
        return datetime.fromisoformat(text).tzinfo is not None
    except ValueError:
        return False


def _is_valid_number(value: Any, schema: Schema) -> bool:
    # A boolean is an int, too.
    if not isinstance(value, int) or isinstance(value, bool):
        return False
    return bool(schema.get("minimum", value) <= value <= schema.get("maximum", value))


def _is_valid_list(value: Any, schema: Schema) -> bool:
    return isinstance(value, list | tuple) and all(_is_valid(each, schema["items"]) for each in value)


_CHECKS: Final[dict[str, Callable[[Any, Schema], bool]]] = {
    "null": lambda value, _: value is None,
    "boolean": lambda value, _: isinstance(value, bool),
    "string": _is_valid_text,
    "integer": _is_valid_number,
    "array": _is_valid_list,
}


def _describe_schema(schema: Schema) -> str:
    """Return a description of the values that a param accepts."""
    kinds = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    kind = next(kind for kind in kinds if kind != "null")
    return _describe_kind(kind, schema) + (", or empty" if "null" in kinds else "")


def _describe_kind(kind: str, schema: Schema) -> str:
    if kind == "boolean":
        return "true or false"
    if kind == "integer":
        return f"a whole number from {schema['minimum']} to {schema['maximum']}"
    if kind == "array":
        return f'a list such as ["{schema["examples"][0]}"]'
    if "enum" in schema:
        return " or ".join(schema["enum"])
    if schema.get("format") == "date":
        return "a day such as 2026-11-20"
    if schema.get("format") == "date-time":
        return "a time such as 2026-11-20T12:00:00Z"
    return f"a text that matches {schema['pattern']}" if "pattern" in schema else "a text"


def _quote_short(value: Any) -> str:
    """Return a value for an error message, cut off if it is long; params are not secrets."""
    text = repr(value)
    return text if len(text) <= 100 else f"{text[:100]}…"
