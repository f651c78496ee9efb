"""One hook for both search servers: Elasticsearch, and OpenSearch with SigV4 for Amazon's service."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseHook

from cloudtrail_elasticsearch.core.errors import ConfigurationError, LoaderError
from cloudtrail_elasticsearch.core.mapping import Engine
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.core.index_setup import SearchServer

ENGINES: dict[str, Engine] = {"elasticsearch": "elasticsearch", "opensearch": "opensearch"}


class SearchHook(BaseHook):
    """Opens the search server of a connection.

    Connections of the types ``elasticsearch`` and ``opensearch`` work as they are, and ``cloudtrail_search``
    is our own. Its extra takes ``engine`` (else the server is asked), ``api_key``, ``ca_certs``,
    ``verify_certs`` (true), ``timeout`` (seconds, 60), ``compress`` (requests, false), and for Amazon OpenSearch
    Service ``aws_conn_id`` and ``region_name``, with which requests are signed (``aws_service`` is ``es``, or
    ``aoss`` for Serverless).
    """

    conn_name_attr = "search_conn_id"
    default_conn_name = "elasticsearch_default"
    conn_type = "cloudtrail_search"
    hook_name = "Elasticsearch or OpenSearch (CloudTrail)"

    def __init__(self, search_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.search_conn_id = search_conn_id

    @classmethod
    def get_ui_field_behaviour(cls) -> dict[str, Any]:
        """Say how the connection's form looks."""
        return {
            "hidden_fields": [],
            "relabeling": {"schema": "Scheme (http or https)"},
            "placeholders": {
                "host": "search.example.com",
                "port": "9200",
                "schema": "https",
                "extra": '{"engine": "opensearch", "aws_conn_id": "aws_default", "region_name": "eu-west-1"}',
            },
        }

    def get_conn(self) -> SearchServer:
        """Return the server.

        :raises ConfigurationError: the connection lacks something; the message says what
        """
        for chatty in ("opensearch", "elastic_transport"):  # a line for every request, at INFO
            logging.getLogger(chatty).setLevel(logging.ERROR)
        connection = self.get_connection(self.search_conn_id)
        extra = connection.extra_dejson
        name = str(extra.get("engine") or connection.conn_type)
        if extra.get("engine") and name not in ENGINES:
            raise ConfigurationError(
                f"The connection {self.search_conn_id} has engine {name!r}: it is elasticsearch or opensearch."
            )
        return connect(self._settings(connection, extra), ENGINES.get(name))

    def test_connection(self) -> tuple[bool, str]:
        """Say whether the server answers, for the Test button."""
        try:
            server = self.get_conn()
            server.request("GET", "/_cluster/health")
        except LoaderError as error:
            return False, str(error)
        return True, f"{server.engine} answers at {server.name}"

    def _settings(self, connection: Any, extra: dict[str, Any]) -> SearchSettings:
        if not connection.host:
            raise ConfigurationError(f"The connection {self.search_conn_id} has no host.")
        scheme = connection.schema or extra.get("http_scheme") or _scheme(extra)
        host = connection.host if "://" in connection.host else f"{scheme}://{connection.host}"
        port = f":{connection.port}" if connection.port else ""
        return SearchSettings.from_url(
            f"{host}{port}",
            username=connection.login or None,
            password=connection.password or None,
            api_key=extra.get("api_key"),
            ca_certs=extra.get("ca_certs"),
            verify_certs=bool(extra.get("verify_certs", True)),
            timeout=float(extra.get("timeout", 60)),
            compress=bool(extra.get("compress", False)),
            aws_service=extra.get("aws_service", "es"),
            **self._signing(extra),
        )

    def _signing(self, extra: dict[str, Any]) -> dict[str, Any]:
        if "aws_conn_id" not in extra:
            return {}
        from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

        hook = AwsBaseHook(aws_conn_id=extra["aws_conn_id"], region_name=extra.get("region_name"))
        session = hook.get_session()
        credentials = session.get_credentials()
        if credentials is None or not session.region_name:
            raise ConfigurationError(
                f"The connection {self.search_conn_id} is to be signed with {extra['aws_conn_id']}, which gives "
                f"no {'credentials' if credentials is None else 'region: set region_name in its extra'}."
            )
        return {"aws_credentials": credentials, "aws_region": session.region_name}


def _scheme(extra: dict[str, Any]) -> str:
    return "https" if "aws_conn_id" in extra or extra.get("use_ssl") else "http"
