"""Elasticsearch, through the transport of elasticsearch-py."""

from __future__ import annotations

from typing import Any

from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.mapping import Engine
from cloudtrail_elasticsearch.sinks.answers import refusal, unreachable, unreadable, untrusted
from cloudtrail_elasticsearch.sinks.requests import encoded
from cloudtrail_elasticsearch.sinks.settings import SearchSettings


class ElasticsearchServer:
    """An Elasticsearch server, 8 or 9; retries nothing by itself: the loader does, item by item.

    Requests go through the client's transport with plain JSON media types: the client's own would ask for
    its major version's compatibility mode, which a server of the version before refuses.
    """

    engine: Engine = "elasticsearch"

    def __init__(self, settings: SearchSettings) -> None:
        from elastic_transport import JsonSerializer
        from elasticsearch import Elasticsearch

        class ReadQuickly(JsonSerializer):
            """Reads what large bulk requests are answered in half of the time."""

            def json_loads(self, data: bytes) -> Any:
                return codec.decode(data)

        self.name = settings.url
        self._compress = settings.compress
        self._client = Elasticsearch(
            settings.url,
            serializer=ReadQuickly(),
            request_timeout=settings.timeout,
            max_retries=0,
            connections_per_node=10,
            **settings.tls,
        )
        self._timeout = settings.timeout
        self._headers = {"accept": "application/json"} | settings.authorization

    def request(self, method: str, path: str, body: bytes | None = None) -> Any:
        """Send a request and return the answer's JSON; see `SearchServer.request` for what is raised."""
        from elastic_transport import ConnectionError as Unreachable
        from elastic_transport import ConnectionTimeout, SerializationError, TlsError

        kind = "application/x-ndjson" if path.startswith("/_bulk") else "application/json"
        content, how = encoded(body, compress=self._compress)
        headers = self._headers | how | ({"content-type": kind} if body is not None else {})
        try:
            meta, answer = self._client.transport.perform_request(
                method, path, headers=headers, body=content, request_timeout=self._timeout, max_retries=0
            )
        except TlsError as error:
            raise untrusted(self.name, error.message) from error
        except (Unreachable, ConnectionTimeout) as error:
            raise unreachable(self.name, error.message) from error
        except SerializationError as error:
            raise unreadable(self.name, f"{method} {path}") from error
        if meta.status >= 400:
            raise refusal(self.name, f"{method} {path}", meta.status, answer)
        return answer
