"""Suggests the valid name for a misspelt one."""

from __future__ import annotations

from collections.abc import Collection
from difflib import get_close_matches
from typing import Final

_SYNONYMS: Final = {
    "begin": "start",
    "date": "start",
    "day": "start",
    "first": "start",
    "from": "start",
    "since": "start",
    "last": "end",
    "stop": "end",
    "to": "end",
    "until": "end",
    "again": "force",
    "pattern": "index",
    "index_name": "index",
    "index_pattern": "index",
    "strategy": "mapping",
    "wait": "settle_minutes",
    "host": "url",
    "ssl": "use_ssl",
    "cert": "ca_certs",
    "insecure": "verify_certs",
    "key": "api_key",
    "region": "region_name",
    "service": "aws_service",
    "event": "events",
    "event_name": "name",
    "arn": "caller",
    "principal": "caller",
    "role": "caller",
    "user": "caller",
}
"""Names that people often write instead of the valid ones, and that are too different for a spelling match."""


def find_nearest_name(name: str, known: Collection[str]) -> str | None:
    """Return the known name with the same meaning or a similar spelling; None if no name is similar."""
    # `start_date` means `start`, for example.
    words = _normalize_name(name).removesuffix("_date").removesuffix("_day")
    for guess in (words, _SYNONYMS.get(words)):
        if guess in known:
            return guess
    return find_nearest_spelling(name, known, 0.6)


def find_nearest_spelling(name: str, known: Collection[str], likeness: float) -> str | None:
    """Return the known name with the most similar spelling; None if no name is similar enough.

    :param likeness: the required similarity, from 0 to 1
    """
    return next(iter(get_close_matches(_normalize_name(name), sorted(known), n=1, cutoff=likeness)), None)


def _normalize_name(name: str) -> str:
    return name.strip().lower().replace("-", "_").replace(" ", "_")
