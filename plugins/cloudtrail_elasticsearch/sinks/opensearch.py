"""OpenSearch, with opensearch-py; signs requests to Amazon OpenSearch Service."""

from __future__ import annotations

from typing import Any

from cloudtrail_elasticsearch.core.errors import LoaderError
from cloudtrail_elasticsearch.core.search.server import Engine
from cloudtrail_elasticsearch.sinks.answers import Exchange, Reply, read_reply, unreachable, untrusted
from cloudtrail_elasticsearch.sinks.requests import encode_body
from cloudtrail_elasticsearch.sinks.settings import SearchSettings

_HEADERS = {"content-type": "application/json", "accept": "application/json"}
_ALL_STATUSES = range(100, 1_000)
"""The client treats none of them as an error; `answers` interprets the status."""

_BULK_HEADERS = {"content-type": "application/x-ndjson", "accept": "application/json"}


class OpenSearchServer:
    """An OpenSearch server. It retries nothing: the loader retries single items instead."""

    engine: Engine = "opensearch"

    def __init__(self, settings: SearchSettings) -> None:
        from opensearchpy import OpenSearch, Urllib3AWSV4SignerAuth, Urllib3HttpConnection

        class Silent(Urllib3HttpConnection):
            """Logs and warns nothing, because the client's messages quote answers and bodies."""

            def log_request_success(self, *_: Any, **__: Any) -> None:
                pass

            def log_request_fail(self, *_: Any, **__: Any) -> None:
                pass

            def _raise_warnings(self, *_: Any) -> None:
                pass

        self.name = settings.url
        self._compress = settings.compress
        self._secrets = settings.secrets
        signer: Any = None
        if settings.aws_credentials is not None:
            signer = Urllib3AWSV4SignerAuth(settings.aws_credentials, settings.aws_region, settings.aws_service)
        self._client = OpenSearch(
            settings.url,
            http_auth=signer,
            headers=settings.authorization,
            connection_class=Silent,
            # The loader retries single items, and counts the time of all retries.
            max_retries=0,
            timeout=settings.timeout,
            pool_maxsize=10,
            **settings.tls,
        )

    def request(self, method: str, path: str, body: bytes | None = None) -> Any:
        """Send a request and return the answer's JSON; see `SearchServer.request` for the errors raised."""
        exchange = Exchange(self.name, f"{method} {path}", len(body or b""), self._secrets)
        reply = self._send(exchange, method, path, body)
        if isinstance(reply, LoaderError):
            raise reply  # not inside the handler: a traceback would show the client's unredacted error
        return read_reply(exchange, reply)

    def _send(self, exchange: Exchange, method: str, path: str, body: bytes | None) -> Reply | LoaderError:
        """Send a request; return the answer, or the error if none arrives."""
        from opensearchpy.exceptions import SSLError, TransportError

        content, encoding = encode_body(body, compress=self._compress)
        headers = (_BULK_HEADERS if path.startswith("/_bulk") else _HEADERS) | encoding
        # The connection itself, because the transport would decode the answer and raise errors of its own.
        connection = self._client.transport.get_connection()
        try:
            status, received, answer = connection.perform_request(
                method, path, body=content, headers=headers, ignore=_ALL_STATUSES
            )
        except SSLError as error:
            return untrusted(exchange, error.info)
        except TransportError as error:
            return unreachable(exchange, error.info)
        except UnicodeDecodeError:
            return unreachable(exchange, "the answer is not UTF-8")
        # The client has decoded the answer, but answers are read from bytes.
        return Reply(status, received.get("content-type"), answer.encode("utf-8", "surrogatepass"))
