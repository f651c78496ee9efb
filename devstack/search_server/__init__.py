"""Real search servers from Maven Central as child processes, without Docker and without an installed Java."""

from devstack.search_server.distributions import (
    DISTRIBUTIONS,
    ELASTICSEARCH_8,
    ELASTICSEARCH_9,
    OPENSEARCH_2,
    OPENSEARCH_3,
    Distribution,
)
from devstack.search_server.fetch import DownloadError, fetch
from devstack.search_server.server import SearchServer

__all__ = [
    "DISTRIBUTIONS",
    "ELASTICSEARCH_8",
    "ELASTICSEARCH_9",
    "OPENSEARCH_2",
    "OPENSEARCH_3",
    "Distribution",
    "DownloadError",
    "SearchServer",
    "fetch",
]
