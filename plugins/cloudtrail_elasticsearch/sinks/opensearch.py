"""OpenSearch, through opensearch-py; signs for Amazon OpenSearch Service."""

from __future__ import annotations

from typing import Any

from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.mapping import Engine
from cloudtrail_elasticsearch.sinks.answers import refusal, unreachable, unreadable, untrusted
from cloudtrail_elasticsearch.sinks.requests import encoded
from cloudtrail_elasticsearch.sinks.settings import SearchSettings

_HEADERS = {"content-type": "application/json", "accept": "application/json"}
_BULK_HEADERS = {"content-type": "application/x-ndjson", "accept": "application/json"}


class OpenSearchServer:
    """An OpenSearch server; retries nothing by itself: the loader does, item by item."""

    engine: Engine = "opensearch"

    def __init__(self, settings: SearchSettings) -> None:
        from opensearchpy import JSONSerializer, OpenSearch, Urllib3AWSV4SignerAuth, Urllib3HttpConnection
        from opensearchpy.exceptions import SerializationError

        class AsItIs(JSONSerializer):
            """Sends bytes as they are, and reads answers quickly."""

            def dumps(self, data: Any) -> Any:
                return data if isinstance(data, bytes) else super().dumps(data)

            def loads(self, data: Any) -> Any:
                try:
                    return codec.decode(data)
                except ValueError as error:
                    raise SerializationError(data, error) from error

        self.name = settings.url
        self._compress = settings.compress
        signer: Any = None
        if settings.aws_credentials is not None:
            signer = Urllib3AWSV4SignerAuth(settings.aws_credentials, settings.aws_region, settings.aws_service)
        self._client = OpenSearch(
            settings.url,
            http_auth=signer,
            headers=settings.authorization,
            connection_class=Urllib3HttpConnection,
            serializer=AsItIs(),
            max_retries=0,
            timeout=settings.timeout,
            pool_maxsize=10,
            **settings.tls,
        )

    def request(self, method: str, path: str, body: bytes | None = None) -> Any:
        """Send a request and return the answer's JSON; see `SearchServer.request` for what is raised."""
        from opensearchpy.exceptions import ConnectionError as Unreachable
        from opensearchpy.exceptions import SerializationError, SSLError, TransportError

        content, how = encoded(body, compress=self._compress)
        headers = (_BULK_HEADERS if path.startswith("/_bulk") else _HEADERS) | how
        try:
            return self._client.transport.perform_request(method, path, body=content, headers=headers)
        except SSLError as error:
            raise untrusted(self.name, error.info) from error
        except Unreachable as error:
            raise unreachable(self.name, error.info) from error
        except SerializationError as error:
            raise unreadable(self.name, f"{method} {path}") from error
        except TransportError as error:
            raise refusal(self.name, f"{method} {path}", int(error.status_code), error.info) from error
