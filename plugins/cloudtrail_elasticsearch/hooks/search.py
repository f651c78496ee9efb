"""The hook for both search servers: Elasticsearch, and OpenSearch (with SigV4 for Amazon OpenSearch Service)."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseHook

from cloudtrail_elasticsearch.airflows import SUPERVISOR
from cloudtrail_elasticsearch.aws_errors import translate_errors
from cloudtrail_elasticsearch.core.errors import CredentialsError, LoaderError
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.connection import OWN_KIND, Extra, SearchConnection, read_extra

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.core.coverage.ledger import Ledger
    from cloudtrail_elasticsearch.core.search.server import SearchServer


class SearchHook(BaseHook):
    """Opens the search server of a connection.

    It accepts connections of the types ``elasticsearch`` and ``opensearch``, and of the loader's own type
    ``cloudtrail_search``. `Extra` lists the fields of the extra, and `get_provider_info` has the form.
    """

    conn_name_attr = "search_conn_id"
    default_conn_name = "elasticsearch_default"
    conn_type = OWN_KIND
    hook_name = "Elasticsearch or OpenSearch (CloudTrail)"

    def __init__(self, search_conn_id: str = default_conn_name) -> None:
        super().__init__()
        self.search_conn_id = search_conn_id

    def get_conn(self) -> SearchServer:
        """Return the server.

        :raises ConfigurationError: the connection is incomplete or wrong; the message names the field
        """
        return self._connect(f"The connection {self.search_conn_id}")

    def open_ledger(self, pattern: str, patience: float) -> Ledger:
        """Return the ledger of an index pattern.

        :param patience: seconds for which each request is retried
        :raises ConfigurationError: the connection is incomplete or wrong; the message names the field
        """
        from cloudtrail_elasticsearch.core.coverage.ledger import Ledger
        from cloudtrail_elasticsearch.core.search.sender import LoadSettings

        return Ledger(self.get_conn(), pattern, LoadSettings(patience=patience))

    def test_connection(self) -> tuple[bool, str]:
        """Return the result for the Test button: the server and the user's rights, or the error.

        Airflow tests a connection under a temporary id, so the message does not include the id.
        """
        from cloudtrail_elasticsearch.sinks.check import check

        try:
            return True, check(self._connect("This connection"))
        except LoaderError as error:
            return False, str(error)

    def _connect(self, name: str) -> SearchServer:
        for noisy in ("opensearch", "elastic_transport"):  # a line for every request, at INFO
            logging.getLogger(noisy).setLevel(logging.ERROR)
        with SUPERVISOR:
            found = self.get_connection(self.search_conn_id)
        connection = SearchConnection(
            name=name,
            kind=found.conn_type or self.conn_type,
            host=found.host,
            port=found.port,
            scheme=found.schema,
            login=found.login,
            password=found.password,
            extra=read_extra(name, found.extra_dejson, found.conn_type or self.conn_type),
        )
        # First, so that contradictory fields are reported before AWS is asked for credentials.
        engine = connection.engine
        return connect(connection.settings(_read_signing_settings(name, connection.extra)), engine)


def _read_signing_settings(name: str, extra: Extra) -> dict[str, Any]:
    if not extra.is_signed:
        return {}
    from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook

    with translate_errors(f"{name} signs with {extra.aws_conn_id}", "sts:AssumeRole"):
        session = AwsBaseHook(aws_conn_id=extra.aws_conn_id, region_name=extra.region_name).get_session()
        credentials = session.get_credentials()
        if credentials is not None:
            # Credentials are fetched only when they are used, so a fault would otherwise appear at the first
            # request.
            credentials.get_frozen_credentials()
    if credentials is None or not session.region_name:
        lacking = (
            "no credentials: add them to that connection, or to this machine (a role, AWS_PROFILE)"
            if credentials is None
            else "no region: set region_name in its extra"
        )
        raise CredentialsError(f"{name} signs requests with {extra.aws_conn_id}, which has {lacking}.")
    return {"aws_credentials": credentials, "aws_region": session.region_name}
