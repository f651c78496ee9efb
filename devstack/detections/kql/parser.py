"""Parses the Kibana Query Language by recursive descent.

``or`` binds weakest, then ``and``, then ``not``; parentheses group queries, and the values of one field.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final, TypeAlias, cast

from devstack.detections.errors import QuerySyntaxError
from devstack.detections.kql.tree import And, Is, Name, Nested, Node, Not, Operator, Or, Pattern, Range, Text

_SPACES: Final = re.compile(r"\s*")
_KEYWORD: Final = re.compile(r"\s+(and|or)\s+", re.IGNORECASE)
_NOT: Final = re.compile(r"not\s+", re.IGNORECASE)
_RANGE: Final = re.compile(r"[<>]=?")
_QUOTED: Final = re.compile(r'"((?:\\.|[^"\\])*)"', re.DOTALL)
_UNQUOTED: Final = re.compile(r'\\(?:u[0-9a-fA-F]{4}|.)|[^\\():<>"{}]', re.DOTALL)
_ESCAPE: Final = re.compile(r"\\(u[0-9a-fA-F]{4}|.)", re.DOTALL)
_ESCAPED: Final = {"t": "\t", "r": "\r", "n": "\n"}
_OPERATORS: Final[dict[str, Operator]] = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}
_WILDCARD: Final = "*"

_Parse: TypeAlias = Callable[[], Node]


def parse(text: str) -> Node:
    """Return the tree of a query; an empty query matches everything.

    :raises QuerySyntaxError: it is not a query
    """
    return _Parser(text).parse()


class _Parser:
    """Reads one text from left to right."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0

    def parse(self) -> Node:
        self._skip_spaces()
        if self._at == len(self._text):
            return Is(None, Pattern(("", "")))
        query = self._parse_or(self._parse_query)
        self._skip_spaces()
        if self._at < len(self._text):
            raise self._error("'and', 'or' or the end of the query")
        return query

    def _parse_or(self, operand: _Parse) -> Node:
        children = self._parse_chain("or", lambda: self._parse_and(operand))
        return children[0] if len(children) == 1 else Or(children)

    def _parse_and(self, operand: _Parse) -> Node:
        children = self._parse_chain("and", lambda: self._parse_not(operand))
        return children[0] if len(children) == 1 else And(children)

    def _parse_chain(self, word: str, operand: _Parse) -> tuple[Node, ...]:
        children = [operand()]
        while (found := _KEYWORD.match(self._text, self._at)) and found[1].lower() == word:
            self._at = found.end()
            children.append(operand())
        return tuple(children)

    def _parse_not(self, operand: _Parse) -> Node:
        return Not(self._parse_not(operand)) if self._take(_NOT) else operand()

    def _parse_query(self) -> Node:
        """Parse a group, a field with its values, a range, or values of any field."""
        if self._take_character("("):
            return self._parse_group(self._parse_query)
        start = self._at
        name = self._parse_value()
        self._skip_spaces()
        if self._take_character(":"):
            self._skip_spaces()
            return self._parse_nested(name) if self._take_character("{") else self._parse_values(_as_name(name))
        if operator := self._take(_RANGE):
            self._skip_spaces()
            value = self._parse_value()
            if isinstance(value, Pattern):
                raise self._error("a limit without a wildcard")
            return Range(name, _OPERATORS[operator], value.text)
        self._at = start
        return self._parse_values(None)

    def _parse_nested(self, name: Text | Pattern) -> Node:
        if isinstance(name, Pattern):
            raise self._error("the name of one field before '{'")
        self._skip_spaces()
        child = self._parse_or(self._parse_query)
        self._require("}")
        return Nested(name, child)

    def _parse_values(self, name: Name) -> Node:
        """Parse a value, or a group of values of the same field."""
        if self._take_character("("):
            return self._parse_group(lambda: self._parse_values(name))
        return Is(name, self._parse_value())

    def _parse_group(self, operand: _Parse) -> Node:
        self._skip_spaces()
        group = self._parse_or(operand)
        self._require(")")
        return group

    def _parse_value(self) -> Text | Pattern:
        if quoted := _QUOTED.match(self._text, self._at):
            self._at = quoted.end()
            return Text(_ESCAPE.sub(_unescape, quoted[1]), is_phrase=True)
        parts = [""]
        start = self._at
        while not _KEYWORD.match(self._text, self._at) and (piece := _UNQUOTED.match(self._text, self._at)):
            self._at = piece.end()
            if piece[0] == _WILDCARD:
                parts.append("")
            else:
                parts[-1] += _ESCAPE.sub(_unescape, piece[0]) if len(piece[0]) > 1 else piece[0]
        if not self._text[start : self._at].strip():
            raise self._error("a field or a value")
        parts[0], parts[-1] = parts[0].lstrip(), parts[-1].rstrip()
        return Text(parts[0]) if len(parts) == 1 else Pattern(tuple(parts))

    def _skip_spaces(self) -> None:
        self._at = cast("re.Match[str]", _SPACES.match(self._text, self._at)).end()

    def _take(self, expression: re.Pattern[str]) -> str | None:
        found = expression.match(self._text, self._at)
        if found is None:
            return None
        self._at = found.end()
        return found[0]

    def _take_character(self, character: str) -> bool:
        found = self._text.startswith(character, self._at)
        self._at += found
        return found

    def _require(self, character: str) -> None:
        self._skip_spaces()
        if not self._take_character(character):
            raise self._error(f"'{character}'")

    def _error(self, expected: str) -> QuerySyntaxError:
        return QuerySyntaxError(f"The KQL query has a mistake at character {self._at + 1}: expected {expected}.")


def _as_name(name: Text | Pattern) -> Name:
    return None if isinstance(name, Pattern) and name.is_anything else name


def _unescape(found: re.Match[str]) -> str:
    """Return the character of an escape; that of a keyword, such as ``\\and``, is its first letter."""
    escaped = found[1]
    if len(escaped) > 1:
        return chr(int(escaped[1:], 16))
    return _ESCAPED.get(escaped, escaped)
