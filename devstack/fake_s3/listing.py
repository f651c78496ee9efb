"""The pages of ListObjectsV2 from sorted keys."""

from __future__ import annotations

import base64
import bisect
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Final
from urllib.parse import quote_plus
from xml.sax.saxutils import escape

from devstack.simulator.trails.stores import MemoryBucket, etag

_MOST_KEYS: Final = 1000
_MODIFIED: Final = "2026-01-01T00:00:00.000Z"


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a listing. `after` is where the next page begins; None at the end."""

    keys: list[str]
    prefixes: list[str]
    after: str | None


def list_page(keys: list[str], prefix: str, delimiter: str, place: int, most: int) -> Page:
    """Return up to `most` keys and common prefixes of sorted keys, from a place on.

    The cost depends on the size of the page, and not on the number of keys below a common prefix.
    """
    found: list[str] = []
    prefixes: list[str] = []
    last = ""
    while place < len(keys) and keys[place].startswith(prefix):
        if len(found) + len(prefixes) == most:
            return Page(found, prefixes, last)
        key = keys[place]
        cut = key.find(delimiter, len(prefix)) if delimiter else -1
        if cut < 0:
            found.append(key)
            last, place = key, place + 1
        else:
            common = key[: cut + len(delimiter)]
            prefixes.append(common)
            last, place = common, bisect.bisect_left(keys, _successor(common))
    return Page(found, prefixes, None)


def render_listing(name: str, bucket: MemoryBucket, query: Mapping[str, str]) -> str:
    """Return the XML of the page that a request's parameters ask for."""
    keys, prefix = bucket.ordered(), query.get("prefix", "")
    delimiter, most = query.get("delimiter", ""), min(int(query.get("max-keys", _MOST_KEYS)), _MOST_KEYS)
    page = list_page(keys, prefix, delimiter, _first_place(keys, prefix, delimiter, query), most)
    return "".join(_render(name, bucket, query, page, most))


def _first_place(keys: list[str], prefix: str, delimiter: str, query: Mapping[str, str]) -> int:
    if token := query.get("continuation-token"):
        after = base64.b64decode(token).decode()
        if delimiter and after.endswith(delimiter):
            return bisect.bisect_left(keys, _successor(after))
    else:
        after = query.get("start-after", "")
    return max(bisect.bisect_right(keys, after) if after else 0, bisect.bisect_left(keys, prefix))


def _render(name: str, bucket: MemoryBucket, query: Mapping[str, str], page: Page, most: int) -> Iterator[str]:
    is_quoted = query.get("encoding-type") == "url"

    def text(value: str) -> str:
        return quote_plus(value, safe="/") if is_quoted else escape(value)

    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
    yield f"<Name>{name}</Name><Prefix>{text(query.get('prefix', ''))}</Prefix><MaxKeys>{most}</MaxKeys>"
    yield f"<KeyCount>{len(page.keys) + len(page.prefixes)}</KeyCount>"
    if is_quoted:
        yield "<EncodingType>url</EncodingType>"
    if delimiter := query.get("delimiter"):
        yield f"<Delimiter>{text(delimiter)}</Delimiter>"
    yield f"<IsTruncated>{'true' if page.after is not None else 'false'}</IsTruncated>"
    if page.after is not None:
        token = base64.b64encode(page.after.encode()).decode()
        yield f"<NextContinuationToken>{token}</NextContinuationToken>"
    for key in page.keys:
        stored = bucket.objects.get(key)
        if stored is not None:
            yield (
                f"<Contents><Key>{text(key)}</Key><LastModified>{_MODIFIED}</LastModified>"
                f"<ETag>{escape(etag(stored.body))}</ETag><Size>{len(stored.body)}</Size>"
                "<StorageClass>STANDARD</StorageClass></Contents>"
            )
    for prefix in page.prefixes:
        yield f"<CommonPrefixes><Prefix>{text(prefix)}</Prefix></CommonPrefixes>"
    yield "</ListBucketResult>"


def _successor(text: str) -> str:
    """Return the first text after all texts that begin with this one."""
    return text[:-1] + chr(ord(text[-1]) + 1)
