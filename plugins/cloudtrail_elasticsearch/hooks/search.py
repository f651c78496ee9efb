"""One hook for both search servers: Elasticsearch, and OpenSearch with SigV4 for Amazon's service."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseHook

from cloudtrail_elasticsearch.aws_errors import told
from cloudtrail_elasticsearch.core.errors import CredentialsError, LoaderError
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.connection import Extra, SearchConnection, read_extra

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.core.index_setup import SearchServer


class SearchHook(BaseHook):
    """Opens the search server of a connection.

    Connections of the types ``elasticsearch`` and ``opensearch`` work as they are, and ``cloudtrail_search``
    is our own; `Extra` has what its extra takes, and `get_provider_info` its form.
    """

    conn_name_attr = "search_conn_id"
    default_conn_name = "elasticsearch_default"
    conn_type = "cloudtrail_search"
    hook_name = "Elasticsearch or OpenSearch (CloudTrail)"

    def __init__(self, search_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.search_conn_id = search_conn_id

    def get_conn(self) -> SearchServer:
        """Return the server.

        :raises ConfigurationError: the connection lacks something; the message says what
        """
        return self._server(f"The connection {self.search_conn_id}")

    def test_connection(self) -> tuple[bool, str]:
        """Say which server answers and whether this user may load, or what is wrong: for the Test button.

        Airflow tests a connection under a passing id, which is not told.
        """
        from cloudtrail_elasticsearch.sinks.check import check

        try:
            return True, check(self._server("This connection"))
        except LoaderError as error:
            return False, str(error)

    def _server(self, name: str) -> SearchServer:
        for chatty in ("opensearch", "elastic_transport"):  # a line for every request, at INFO
            logging.getLogger(chatty).setLevel(logging.ERROR)
        found = self.get_connection(self.search_conn_id)
        connection = SearchConnection(
            name=name,
            kind=found.conn_type or self.conn_type,
            host=found.host,
            port=found.port,
            scheme=found.schema,
            login=found.login,
            password=found.password,
            extra=read_extra(name, found.extra_dejson),
        )
        engine = connection.engine
        return connect(connection.settings(_signing(name, connection.extra)), engine)


def _signing(name: str, extra: Extra) -> dict[str, Any]:
    if not extra.is_signed:
        return {}
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

    with told(f"{name} is signed with {extra.aws_conn_id}", "sts:AssumeRole"):
        session = AwsBaseHook(aws_conn_id=extra.aws_conn_id, region_name=extra.region_name).get_session()
        credentials = session.get_credentials()
        if credentials is not None:
            credentials.get_frozen_credentials()
    if credentials is None or not session.region_name:
        lacking = (
            "no credentials: give them in that connection, or to this machine (a role, AWS_PROFILE)"
            if credentials is None
            else "no region: set region_name in its extra"
        )
        raise CredentialsError(f"{name} is to be signed with {extra.aws_conn_id}, which gives {lacking}.")
    return {"aws_credentials": credentials, "aws_region": session.region_name}
