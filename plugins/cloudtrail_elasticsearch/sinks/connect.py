"""Opens a search server, and detects which engine it is."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec

from cloudtrail_elasticsearch.core.errors import ConfigurationError, RejectedRequestError
from cloudtrail_elasticsearch.core.search.answers import send_request
from cloudtrail_elasticsearch.core.search.server import Engine
from cloudtrail_elasticsearch.sinks.settings import SearchSettings

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.core.search.server import SearchServer


@dataclass(frozen=True, slots=True)
class Greeting:
    """The engine and version from a server's greeting; None if unknown."""

    engine: Engine | None
    version: str | None

    @property
    def title(self) -> str | None:
        """The product name and version for messages; None if the engine is unknown."""
        if self.engine is None:
            return None
        name = "OpenSearch" if self.engine == "opensearch" else "Elasticsearch"
        return f"{name} {self.version}" if self.version else name


class _Version(msgspec.Struct, frozen=True):
    distribution: str | None = None
    number: str | None = None


class _Root(msgspec.Struct, frozen=True):
    version: _Version


def connect(settings: SearchSettings, engine: Engine | None = None) -> SearchServer:
    """Return the server; without `engine`, a request detects which one it is.

    :raises ConfigurationError: the settings do not suit this server
    :raises TransientError: the server did not answer this request
    """
    if settings.aws_credentials is not None:
        # Only Amazon's OpenSearch takes signed requests, so nothing need be detected.
        engine = "opensearch"
    if (engine or _detect_engine(settings)) == "opensearch":
        if settings.api_key:
            raise ConfigurationError(
                f"The search server {settings.url} is OpenSearch, which does not support these API keys: "
                f"use login and password, or aws_conn_id, instead of api_key."
            )
        # Imported late, because a client takes long to import, and only one is used (ADR-0012).
        from cloudtrail_elasticsearch.sinks.opensearch import OpenSearchServer

        return OpenSearchServer(settings)
    from cloudtrail_elasticsearch.sinks.elasticsearch import ElasticsearchServer

    return ElasticsearchServer(settings)


def ask_greeting(server: SearchServer) -> Greeting:
    """Return a server's greeting: its engine and version.

    :raises RejectedRequestError: the server rejects the request
    :raises UnexpectedAnswerError: it is not a search server, or a proxy answers instead
    """
    try:
        version = send_request(server, _Root, "GET", "/").version
    except RejectedRequestError as error:
        if error.status != 405:  # a minimal Elasticsearch has no greeting
            raise
        return Greeting("elasticsearch", None)
    engine: Engine = "opensearch" if version.distribution == "opensearch" else "elasticsearch"
    return Greeting(engine, version.number)


def _detect_engine(settings: SearchSettings) -> Engine:
    from cloudtrail_elasticsearch.sinks.elasticsearch import ElasticsearchServer

    # OpenSearch answers, too: only the client's connections are used, not its check of the product.
    return ask_greeting(ElasticsearchServer(settings)).engine or "elasticsearch"
