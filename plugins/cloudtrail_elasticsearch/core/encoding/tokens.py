"""Reads the tokens of a JSON text without recursion: depth costs heap memory, not stack.

The grammar is RFC 8259, with ``NaN`` and ``Infinity`` as in Python's own decoder.

https://www.rfc-editor.org/rfc/rfc8259
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

OPEN: Final = "open"
CLOSE: Final = "close"
NAME: Final = "name"
SCALAR: Final = "scalar"

# Possessive quantifiers (`*+`) never backtrack, so a hostile text takes no longer than its length allows.
_BLANKS: Final = r"[ \t\n\r]*+"
_STRING: Final = r'"[^"\\\x00-\x1f]*+(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\x00-\x1f]*+)*+"'
_NUMBER: Final = r"-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?"
_VALUE: Final = rf"(?P<open>[{{\[])|(?P<scalar>{_STRING}|{_NUMBER}|true|false|null|NaN|-?Infinity)"
_MEMBER: Final = rf"(?P<name>{_STRING}){_BLANKS}:"

_match_value: Final = re.compile(rf"{_BLANKS}(?:{_VALUE})").match
_match_end: Final = re.compile(rf"{_BLANKS}\Z").match
_match_first: Final = {
    "{": re.compile(rf"{_BLANKS}(?:(?P<close>\}})|{_MEMBER})").match,
    "[": re.compile(rf"{_BLANKS}(?:(?P<close>\])|{_VALUE})").match,
}
# After an element, only a comma or the closing bracket is valid.
_match_next: Final = {
    "{": re.compile(rf"{_BLANKS}(?:(?P<close>\}})|,{_BLANKS}{_MEMBER})").match,
    "[": re.compile(rf"{_BLANKS}(?:(?P<close>\])|,{_BLANKS}(?:{_VALUE}))").match,
}

_find_unblank: Final = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[^ \t\n\r"]++').findall
_SURROGATE: Final = re.compile("[\ud800-\udfff]")

_AS_BRACES: Final = bytes.maketrans(b"[]", b"{}")
_NO_BRACKET: Final = bytes(set(range(256)) - set(b"{}[]"))
_BYTES_STRING: Final = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)


def read_tokens(text: str) -> Iterator[tuple[str, int, int]]:
    """Yield the kind, the start and the end of each token, without commas and colons.

    :raises ValueError: the text is not JSON
    """
    # The open brackets, instead of a recursive parser's stack.
    around: list[str] = []
    place = 0
    match = _match_value
    while True:
        found = match(text, place)
        if found is None:
            raise ValueError(f"unexpected character at position {place}")
        kind = found.lastgroup
        place = found.end()
        if kind is None:
            return
        begin, end = found.span(kind)
        yield kind, begin, end
        if kind == NAME:
            match = _match_value
        elif kind == OPEN:
            around.append(text[begin])
            match = _match_first[text[begin]]
        else:
            if kind == CLOSE:
                around.pop()
            match = _match_next[around[-1]] if around else _match_end


def compact(text: str) -> str:
    """Return a JSON text without the blanks between its tokens; a lone surrogate becomes its escape."""
    joined = "".join(_find_unblank(text))
    return joined if joined.isascii() else _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", joined)


def is_deeper(text: bytes, levels: int) -> bool:
    """Whether a JSON text is nested deeper than this number of levels.

    A no is certain. A text that is not JSON can get a yes at any depth.
    """
    # Nearly all texts end here, without a search for strings.
    if text.count(b"{") + text.count(b"[") <= levels:
        return False
    brackets = _without_strings(text).translate(_AS_BRACES, _NO_BRACKET)
    for _ in range(levels):
        # Each round removes the innermost pairs, and so one level.
        before = len(brackets)
        brackets = brackets.replace(b"{}", b"")
        if not brackets:
            return False
        if len(brackets) == before:  # not JSON
            return True
    return True


def _without_strings(text: bytes) -> bytes:
    if b"\\" in text:
        return _BYTES_STRING.sub(b"", text)
    # Without escapes, every second piece between quotes is a string, and splitting is faster.
    return b"".join(text.split(b'"')[::2])
