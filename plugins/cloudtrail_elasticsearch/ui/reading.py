"""Reading the loader's own indices for the pages: each request is sent once, as a person waits for the answer."""

from __future__ import annotations

from functools import partial

from cloudtrail_elasticsearch.core.search.answers import send_request
from cloudtrail_elasticsearch.core.search.reader import IndexReader
from cloudtrail_elasticsearch.core.search.server import SearchServer


def read_index(server: SearchServer, index: str) -> IndexReader:
    """Return a reader of an index."""
    return IndexReader(partial(send_request, server), index)
