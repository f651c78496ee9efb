"""Evaluates a Sigma rule on a raw event.

pySigma parses the rule, its conditions and modifiers; matching is done here. Texts are compared without case,
``*`` and ``?`` are wildcards, a list matches if one of its values does, and a keyword is searched in all values.

https://github.com/SigmaHQ/sigma-specification/blob/main/specification/sigma-rules-specification.md
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable
from contextlib import suppress
from ipaddress import ip_address
from typing import Any, Final, TypeAlias

from sigma.conditions import (
    ConditionAND,
    ConditionFieldEqualsValueExpression,
    ConditionNOT,
    ConditionOR,
    ConditionValueExpression,
)
from sigma.types import (
    CompareOperators,
    SigmaBool,
    SigmaCasedString,
    SigmaCIDRExpression,
    SigmaCompareExpression,
    SigmaExists,
    SigmaExpansion,
    SigmaFieldReference,
    SigmaNull,
    SigmaNumber,
    SigmaRegularExpression,
    SigmaString,
    SpecialChars,
)

from devstack.detections.errors import RuleError
from devstack.detections.rules import Event, Matches
from devstack.detections.values import read_path, read_scalars, show

_Test: TypeAlias = Callable[[Any], bool]
"""Whether one value matches."""

_WILDCARDS: Final = {SpecialChars.WILDCARD_MULTI: ".*", SpecialChars.WILDCARD_SINGLE: "."}
_OPERATORS: Final[dict[CompareOperators, Callable[[float, float], bool]]] = {
    CompareOperators.LT: operator.lt,
    CompareOperators.LTE: operator.le,
    CompareOperators.GT: operator.gt,
    CompareOperators.GTE: operator.ge,
    CompareOperators.NEQ: operator.ne,
}


def make_matches(condition: Any, is_cased: bool = False) -> Matches:
    """Return the evaluation of a condition that pySigma has parsed.

    :param is_cased: whether to compare with case, to explain a difference
    :raises RuleError: a modifier is not known here
    """
    match condition:
        case ConditionAND(args=children):
            return _all([make_matches(child, is_cased) for child in children])
        case ConditionOR(args=children):
            return _any([make_matches(child, is_cased) for child in children])
        case ConditionNOT(args=[child]):
            matches = make_matches(child, is_cased)
            return lambda event: not matches(event)
        case ConditionFieldEqualsValueExpression(field=field, value=value):
            return _compare(field, value, is_cased)
        case ConditionValueExpression(value=value):
            test = _make_test(value, is_cased, is_keyword=True)
            return lambda event: any(map(test, read_scalars(event)))
    raise RuleError(f"The reference does not know conditions of the kind {type(condition).__name__}.")


def _compare(field: str, value: Any, is_cased: bool) -> Matches:
    match value:
        case SigmaNull():
            return lambda event: not any(True for _ in read_path(event, field))
        case SigmaExists(exists=exists):
            return lambda event: any(True for _ in read_path(event, field)) == exists
        case SigmaExpansion(values=values):
            return _any([_compare(field, each, is_cased) for each in values])
        case SigmaFieldReference():
            return _compare_fields(field, value, is_cased)
    test = _make_test(value, is_cased)
    return lambda event: any(map(test, read_path(event, field)))


def _compare_fields(field: str, reference: SigmaFieldReference, is_cased: bool) -> Matches:
    compare = str.startswith if reference.starts_with else str.endswith if reference.ends_with else str.__eq__

    def matches(event: Event) -> bool:
        texts = [_fold(show(each), is_cased) for each in read_path(event, field)]
        others = [_fold(show(each), is_cased) for each in read_path(event, reference.field)]
        return any(compare(text, other) for text in texts for other in others)

    return matches


def _make_test(value: Any, is_cased: bool, is_keyword: bool = False) -> _Test:
    match value:
        case SigmaString():
            expression = _make_expression(value, is_cased or isinstance(value, SigmaCasedString), is_keyword)
            return lambda found: expression.fullmatch(show(found)) is not None
        case SigmaNumber(number=number):
            return lambda found: show(found) == show(number)
        case SigmaBool(boolean=boolean):
            return lambda found: show(found).lower() == show(boolean)
        case SigmaRegularExpression():
            flags = [value.sigma_to_python_flags[flag] for flag in value.flags]
            pattern = re.compile(str(value.regexp), sum(flags))
            return lambda found: pattern.search(show(found)) is not None
        case SigmaCIDRExpression(network=network):
            return lambda found: _is_address_in(found, network)
        case SigmaCompareExpression(number=number, op=op):
            return lambda found: _is_number(found, _OPERATORS[op], float(number.number))
    raise RuleError(f"The reference does not know values of the kind {type(value).__name__}.")


def _make_expression(value: SigmaString, is_cased: bool, is_keyword: bool) -> re.Pattern[str]:
    pieces = [_WILDCARDS[piece] if isinstance(piece, SpecialChars) else re.escape(str(piece)) for piece in value.s]
    text = "".join(pieces)
    return re.compile(f".*{text}.*" if is_keyword else text, re.DOTALL | (0 if is_cased else re.IGNORECASE))


def _is_address_in(found: Any, network: Any) -> bool:
    with suppress(ValueError):
        return ip_address(found) in network
    return False


def _is_number(found: Any, compare: Callable[[float, float], bool], limit: float) -> bool:
    with suppress(ValueError, TypeError):
        return compare(float(found), limit)
    return False


def _fold(text: str, is_cased: bool) -> str:
    return text if is_cased else text.casefold()


def _all(children: Iterable[Matches]) -> Matches:
    tests = tuple(children)
    return lambda event: all(test(event) for test in tests)


def _any(children: Iterable[Matches]) -> Matches:
    tests = tuple(children)
    return lambda event: any(test(event) for test in tests)
