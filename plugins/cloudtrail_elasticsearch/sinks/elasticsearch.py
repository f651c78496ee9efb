"""Elasticsearch, with the connections of elasticsearch-py."""

from __future__ import annotations

from typing import Any

from cloudtrail_elasticsearch.core.errors import LoaderError
from cloudtrail_elasticsearch.core.search.server import Engine
from cloudtrail_elasticsearch.sinks.answers import Exchange, Reply, read_reply, unreachable, untrusted
from cloudtrail_elasticsearch.sinks.requests import encode_body
from cloudtrail_elasticsearch.sinks.settings import SearchSettings


class ElasticsearchServer:
    """An Elasticsearch server, version 8 or 9. It retries nothing: the loader retries single items instead.

    Requests use the client's connections, but plain JSON media types. The client's own media types request the
    compatibility mode of its major version, which a server of the previous major version rejects.
    """

    engine: Engine = "elasticsearch"

    def __init__(self, settings: SearchSettings) -> None:
        from elastic_transport import Urllib3HttpNode
        from elasticsearch import Elasticsearch

        class Silent(Urllib3HttpNode):
            """Logs nothing, because the client's log includes the bodies of requests and answers."""

            def _log_request(self, *_: Any, **__: Any) -> None:
                pass

        self.name = settings.url
        self._compress = settings.compress
        self._client = Elasticsearch(
            settings.url,
            node_class=Silent,
            request_timeout=settings.timeout,
            # The loader retries single items, and counts the time of all retries.
            max_retries=0,
            connections_per_node=10,
            **settings.tls,
        )
        self._timeout = settings.timeout
        self._secrets = settings.secrets
        self._headers = {"accept": "application/json"} | settings.authorization

    def request(self, method: str, path: str, body: bytes | None = None) -> Any:
        """Send a request and return the answer's JSON; see `SearchServer.request` for the errors raised."""
        exchange = Exchange(self.name, f"{method} {path}", len(body or b""), self._secrets)
        reply = self._send(exchange, method, path, body)
        if isinstance(reply, LoaderError):
            raise reply  # not inside the handler: a traceback would show the client's unredacted error
        return read_reply(exchange, reply)

    def _send(self, exchange: Exchange, method: str, path: str, body: bytes | None) -> Reply | LoaderError:
        """Send a request; return the answer, or the error if none arrives."""
        from elastic_transport import HttpHeaders, TlsError, TransportError

        # Not the client's own media types: see the class.
        kind = "application/x-ndjson" if path.startswith("/_bulk") else "application/json"
        content, encoding = encode_body(body, compress=self._compress)
        headers = self._headers | encoding | ({"content-type": kind} if body is not None else {})
        # Below the client's `perform_request`, which checks the product and would reject OpenSearch.
        node = self._client.transport.node_pool.get()
        try:
            meta, answer = node.perform_request(
                method, path, headers=HttpHeaders(headers), body=content, request_timeout=self._timeout
            )
        except TlsError as error:
            return untrusted(exchange, error.message)
        except TransportError as error:
            return unreachable(exchange, error.message)
        return Reply(meta.status, meta.headers.get("content-type"), answer)
