"""Finds the end of a JSON value piece by piece, without holding the value in memory.

A scanner follows only brackets and strings, so it also finds the end of values that no decoder accepts (NaN, half
of a surrogate pair). It does not validate the content of a value; it raises an error if the structure is broken.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cloudtrail_elasticsearch.core.errors import FileError

Path = tuple[str, ...]
"""Names from the top of an object."""

_STRUCTURE: Final = re.compile(rb'[{}\[\]"]')
_STRING: Final = re.compile(rb'(?:[^"\\\n\r]++|\\[^\n\r])*+')
_PAIRS: Final = {ord("}"): ord("{"), ord("]"): ord("[")}
_OBJECT, _LIST, _QUOTE, _BACKSLASH = b'{["\\'
_BEGINNING, _COMMA, _COLON = b" ,:"
# Names are kept only to compare them with those of containers, which are shorter.
_LONGEST_NAME: Final = 64
# Containers are at most two names deep: hits.hits.
_DEEPEST_NAME: Final = 2

_OF_EVENTS: Final = frozenset({b"eventVersion", b"eventName", b"eventID", b"eventTime", b"eventCategory"})
"""An object with one of these names before any list is an event; its lists are not containers of events."""


class BrokenError(FileError):
    """The text at position `at` cannot continue any JSON value."""

    def __init__(self, at: int) -> None:
        super().__init__("it is not JSON")
        self.at = at


@dataclass(frozen=True, slots=True)
class Stop:
    """The position where a scanner stopped: after the value, or after the opening bracket of a container."""

    at: int
    container: Path | None = None


class Scanner:
    """Scans one value; it stops at the lists whose paths are in `containers`."""

    def __init__(self, containers: Mapping[Path, bool]) -> None:
        self._containers = containers
        self._open = bytearray()
        self._before = _BEGINNING
        """The last scanned byte that is not blank; for a string, its closing quote."""
        self._in_string = self._is_escaped = False
        self._names: list[bytes] = [b"", b""]
        self._name: bytearray | None = None
        self._is_event = False

    def scan(self, text: bytes, at: int) -> Stop | None:
        """Continue at a position in the text; return None if the value continues after the text.

        :raises BrokenError: the text cannot continue any JSON value
        """
        while True:
            if self._in_string:
                at = self._scan_string(text, at)
                if not self._in_string and not self._open:
                    return Stop(at)
            found = None if self._in_string else _STRUCTURE.search(text, at)
            end = found.start() if found else len(text)
            if between := text[at:end].strip():
                self._before = between[-1]
            if found is None:
                return None
            at = found.end()
            stop = self._scan_structure(text[end], at)
            if stop is not None:
                return stop

    def _scan_structure(self, byte: int, at: int) -> Stop | None:
        opener = _PAIRS.get(byte)
        if opener is None:
            return self._open_value(byte, at)
        if not self._open or self._open.pop() != opener:
            raise BrokenError(at - 1)
        self._before = byte
        return None if self._open else Stop(at)

    def _open_value(self, byte: int, at: int) -> Stop | None:
        if not self._can_open(byte):
            raise BrokenError(at - 1)
        if byte == _QUOTE:
            is_name = self._open[-1:] == b"{" and self._before != _COLON and len(self._open) <= _DEEPEST_NAME
            self._name = bytearray() if is_name else None
            self._in_string = True
            return None
        path = self._find_container() if byte == _LIST else None
        if path is not None:
            self._before = ord("]")  # the splitter reads the list up to its end
            return Stop(at, path)
        self._open.append(byte)
        self._before = byte
        return None

    def _can_open(self, byte: int) -> bool:
        before = self._before
        if self._open[-1:] == b"{" and before != _COLON:
            return byte == _QUOTE and before in (_OBJECT, _COMMA)
        return before in (_BEGINNING, _LIST, _COMMA, _COLON)

    def _find_container(self) -> Path | None:
        depth = len(self._open)
        # Only a path of names from the top, without lists between them, leads to a container.
        if self._is_event or not 1 <= depth <= _DEEPEST_NAME or self._open.count(b"[") or self._before != _COLON:
            return None
        path = tuple(name.decode(errors="replace") for name in self._names[:depth])
        return path if path in self._containers else None

    def _scan_string(self, text: bytes, at: int) -> int:
        """Return the position after the string, or after the text if the string continues."""
        # The piece before ended with a backslash.
        if self._is_escaped:
            if at == len(text):
                return at
            self._is_escaped = False
            self._add_to_name(text[at : at + 1])
            at += 1
        found = _STRING.match(text, at)
        end = found.end() if found else at
        self._add_to_name(text[at : min(end, at + _LONGEST_NAME)])
        if end == len(text):
            return end
        if text[end] == _BACKSLASH and end + 1 == len(text):
            self._is_escaped = True
            return end + 1
        if text[end] != _QUOTE:
            raise BrokenError(end)
        self._in_string = False
        self._before = _QUOTE
        self._finish_name()
        return end + 1

    def _add_to_name(self, part: bytes) -> None:
        if self._name is not None and len(self._name) < _LONGEST_NAME:
            self._name += part

    def _finish_name(self) -> None:
        if self._name is not None:
            name = bytes(self._name)
            self._names[len(self._open) - 1] = name
            if len(self._open) == 1 and name in _OF_EVENTS:
                self._is_event = True
        self._name = None
