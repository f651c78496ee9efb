"""Opening a search server, of whichever kind it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from cloudtrail_elasticsearch.core.errors import ConfigurationError, RefusedError
from cloudtrail_elasticsearch.core.mapping import Engine
from cloudtrail_elasticsearch.sinks.answers import unreadable
from cloudtrail_elasticsearch.sinks.settings import SearchSettings

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.core.index_setup import SearchServer


@dataclass(frozen=True, slots=True)
class Greeting:
    """What a server says it is; None for what it does not say."""

    engine: Engine | None
    version: str | None

    @property
    def title(self) -> str | None:
        """Its name and version, for people."""
        if self.engine is None:
            return None
        name = "OpenSearch" if self.engine == "opensearch" else "Elasticsearch"
        return f"{name} {self.version}" if self.version else name


def connect(settings: SearchSettings, engine: Engine | None = None) -> SearchServer:
    """Return the server; where the engine is not given, the server is asked which one it is.

    :raises ConfigurationError: the settings are not for this server
    :raises TransientError: it was asked and gave no answer
    """
    if settings.aws_credentials is not None:
        engine = "opensearch"
    if (engine or _ask(settings)) == "opensearch":
        if settings.api_key:
            raise ConfigurationError(
                f"The search server {settings.url} is OpenSearch, which has no such API keys: give "
                f"the connection a login and password, or an aws_conn_id, instead of api_key."
            )
        from cloudtrail_elasticsearch.sinks.opensearch import OpenSearchServer

        return OpenSearchServer(settings)
    from cloudtrail_elasticsearch.sinks.elasticsearch import ElasticsearchServer

    return ElasticsearchServer(settings)


def greeting(server: SearchServer) -> Greeting:
    """Ask a server what it is.

    :raises RefusedError: it does not say so, or is none
    """
    try:
        answer = server.request("GET", "/")
    except RefusedError as error:
        if error.status != 405:  # a minimal Elasticsearch has no greeting
            raise
        return Greeting("elasticsearch", None)
    version = answer.get("version") if isinstance(answer, dict) else None
    if not isinstance(version, dict):
        raise unreadable(server.name, "GET /")
    engine: Engine = "opensearch" if version.get("distribution") == "opensearch" else "elasticsearch"
    return Greeting(engine, version.get("number"))


def _ask(settings: SearchSettings) -> Engine:
    from cloudtrail_elasticsearch.sinks.elasticsearch import ElasticsearchServer

    return greeting(ElasticsearchServer(settings)).engine or "elasticsearch"
