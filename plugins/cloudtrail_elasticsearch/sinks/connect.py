"""Opening a search server, of whichever kind it is."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloudtrail_elasticsearch.core.errors import RefusedError
from cloudtrail_elasticsearch.core.mapping import Engine
from cloudtrail_elasticsearch.sinks.settings import SearchSettings

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.core.index_setup import SearchServer


def connect(settings: SearchSettings, engine: Engine | None = None) -> SearchServer:
    """Return the server; where the engine is not given, the server is asked which one it is.

    :raises TransientError: it was asked and gave no answer
    """
    if settings.aws_credentials is not None:
        engine = "opensearch"
    if (engine or _ask(settings)) == "opensearch":
        from cloudtrail_elasticsearch.sinks.opensearch import OpenSearchServer

        return OpenSearchServer(settings)
    from cloudtrail_elasticsearch.sinks.elasticsearch import ElasticsearchServer

    return ElasticsearchServer(settings)


def _ask(settings: SearchSettings) -> Engine:
    from cloudtrail_elasticsearch.sinks.elasticsearch import ElasticsearchServer

    try:
        answer = ElasticsearchServer(settings).request("GET", "/")
    except RefusedError as error:
        if error.status != 405:  # a minimal Elasticsearch has no greeting
            raise
        return "elasticsearch"
    version = answer.get("version", {}) if isinstance(answer, dict) else {}
    return "opensearch" if version.get("distribution") == "opensearch" else "elasticsearch"
