"""Entries of ``unindexed``: values that no field can index, kept as JSON text and found by their SHA-256."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, Final

import msgspec

from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.encoding.codec import Verbatim

MAX_PATH_BYTES: Final = 8_000

MAX_CHARACTERS: Final = 8_191
"""The characters of a long text that are indexed: at most 32,766 bytes in UTF-8, the longest term of a server."""

_LEVELS: Final = 250
"""Levels of an entry that become values: older versions wrote deeper values than `codec.MAX_LEVELS`."""

Path = list[str | int]


class Aside(msgspec.Struct, frozen=True):
    """A value that was moved to ``unindexed``, and its place in the event."""

    at: Path
    """Names and list positions; empty for a part of the whole event."""
    value: Any
    is_earlier: bool = False
    """Whether the event repeats the last name of the path further on."""


def set_aside(at: Path, value: Any) -> list[dict[str, Any]]:
    """Return the entries for a value: one, and one more for each `Verbatim` in it."""
    verbatims: list[tuple[Path, Verbatim]] = []
    rest = _extract(value, at, verbatims)
    entries = [] if isinstance(value, Verbatim) else [_entry(at, scalars(rest), "value", rest)]
    return entries + [_entry(place, text.read_scalars(), "verbatim", text.text) for place, text in verbatims]


def set_earlier_aside(name: str, value: Verbatim) -> dict[str, Any]:
    """Return the entry for the earlier value of a repeated top-level name."""
    return _entry([name], value.read_scalars(), "earlier", value.text)


def read_asides(source: dict[str, Any]) -> list[Aside]:
    """Return the entries of a document, in their order."""
    return [_read(codec.decode(entry["json"], _LEVELS)) for entry in source.get("unindexed", ())]


def scalars(value: Any) -> Iterator[Any]:
    """Yield every scalar in a value except null."""
    waiting = [value]
    while waiting:
        value = waiting.pop()
        if isinstance(value, dict | list):
            # Reversed, because values are taken from the end of the list: so the scalars keep their order.
            waiting += reversed(value.values() if isinstance(value, dict) else value)
        elif isinstance(value, Verbatim):
            yield from value.read_scalars()
        elif value is not None:
            yield value


def digest(scalar: Any) -> str:
    """Return the SHA-256 of a scalar's text in UTF-8, by which it is found if no field can index it."""
    text = scalar.encode("utf-8", "surrogatepass") if isinstance(scalar, str) else codec.canonical(scalar)
    return hashlib.sha256(text).hexdigest()


def _entry(at: Path, found: Iterable[Any], kind: str, value: Any) -> dict[str, Any]:
    names = ".".join(step for step in at if isinstance(step, str))
    whole = list(found)
    long = [text for text in whole if isinstance(text, str) and len(text) > MAX_CHARACTERS]
    # To compute the digest, one needs the whole text, so the beginning of a long text can be searched, too.
    prefixes = [text[:MAX_CHARACTERS].encode("utf-8", "replace").decode() for text in long]
    return {
        # Cut to a length that a keyword field always takes; `json` has the whole path.
        "path": names.encode("ascii", "backslashreplace")[:MAX_PATH_BYTES].decode(),
        # Each once, in a fixed order, so that equal events make equal documents.
        "sha256": list(dict.fromkeys(map(digest, whole))),
        **({"prefix": prefixes} if prefixes else {}),
        "json": codec.canonical({"at": at, kind: value}).decode(),
    }


def _read(entry: dict[str, Any]) -> Aside:
    if "value" in entry:
        return Aside(entry["at"], entry["value"])
    if "verbatim" in entry:
        return Aside(entry["at"], Verbatim(entry["verbatim"]))
    return Aside(entry["at"], Verbatim(entry["earlier"]), is_earlier=True)


def _extract(value: Any, at: Path, found: list[tuple[Path, Verbatim]]) -> Any:
    """Return a value with null for each `Verbatim` in it, and add these to `found`."""
    if isinstance(value, Verbatim):
        found.append((list(at), value))
        return None
    if isinstance(value, dict):
        return {name: _extract(child, [*at, name], found) for name, child in value.items()}
    if isinstance(value, list):
        return [_extract(child, [*at, index], found) for index, child in enumerate(value)]
    return value
