"""Finds the events that the server does not hold yet, by their ids, without a refresh of the index."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.search.sender import Sender

DocumentKey = tuple[str, str]
"""A document's index and id."""

_PER_REQUEST: Final = 5_000
_PATH: Final = "/_mget?_source=false&filter_path=error,status,docs._id,docs.found"


class _Found(msgspec.Struct, frozen=True):
    found: bool = False


class _Answer(msgspec.Struct, frozen=True):
    docs: list[_Found]


def find_missing(sender: Sender, keys: Sequence[DocumentKey]) -> list[DocumentKey]:
    """Return those documents that the server does not hold, in the same order, each once.

    A document that cannot be read, such as one behind an alias of several indices, counts as missing: to load it
    again changes nothing.

    https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-mget

    :raises TransientError: the server gave no valid answer within the patience
    """
    distinct = list(dict.fromkeys(keys))
    missing: list[DocumentKey] = []
    for first in range(0, len(distinct), _PER_REQUEST):
        some = distinct[first : first + _PER_REQUEST]
        body = codec.encode({"docs": [{"_index": index, "_id": identifier} for index, identifier in some]})
        missing += _select_missing(some, sender.request(_Answer, "POST", _PATH, body))
    return missing


def _select_missing(keys: Sequence[DocumentKey], answer: _Answer) -> list[DocumentKey]:
    # Another number of documents would say nothing about any of them.
    if len(answer.docs) != len(keys):
        return list(keys)
    return [key for key, each in zip(keys, answer.docs, strict=True) if not each.found]
