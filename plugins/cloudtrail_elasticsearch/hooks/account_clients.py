"""Clients of AWS services in one account, and the credentials of a role that is assumed in it."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

import botocore
import botocore.session
from boto3.session import Session
from botocore.config import Config
from botocore.credentials import RefreshableCredentials
from botocore.loaders import Loader

from cloudtrail_elasticsearch import __version__
from cloudtrail_elasticsearch.aws_errors import translate_errors
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.documents.own_events import USER_AGENT
from cloudtrail_elasticsearch.core.errors import AccessDeniedError, RoleRefusedError
from cloudtrail_elasticsearch.sources.lookup_events.client import PATIENCE, LookupEvents

AGENT: Final = f"{USER_AGENT}{__version__} Botocore/{botocore.__version__}"
"""The user agent. botocore makes its own anew for each request, which takes a tenth of a call's processor time."""

LOADER: Final = Loader()
"""Reads each botocore service model once per process; forked processes share them (ADR-0012)."""

SESSION_NAME: Final = "cloudtrail-elasticsearch"
"""The name of the sessions of assumed roles, as CloudTrail records it."""

_ATTEMPTS: Final = 12

MakeClient = Callable[[Session, str, str | None, Config], Any]
"""Returns a session's boto3 client of a service in a region, with a configuration."""


class AccountClients:
    """The requests of lookups in one account. Threads may share it.

    :param open_session: returns the account's session; it is called again after an error
    :param home: the region for requests that any region can answer
    """

    def __init__(self, open_session: Callable[[], Session], make_client: MakeClient, home: str) -> None:
        self._open_session = open_session
        self._make_client = make_client
        self._home = home
        self._session: Session | None = None
        # boto3's sessions are not safe to share between threads; their clients are.
        self._making = threading.Lock()

    def open_lookup(self, window: Window, patience: float = PATIENCE) -> LookupEvents:
        """Return a LookupEvents client for the window's region.

        :param patience: seconds for which the request of one page is retried
        """
        client = self._open_client("cloudtrail", window.region, make_lookup_config())
        return LookupEvents(client, patience=patience)

    def enabled_regions(self) -> list[str]:
        """Return the sorted names of the regions that are enabled for the account.

        :raises AccessDeniedError: ec2:DescribeRegions is not allowed
        """
        client = self._open_client("ec2", self._home, make_config())
        with translate_errors("Listing the account's regions", "ec2:DescribeRegions"):
            # Without the opt-in regions that the account has not enabled: they have no events.
            answer = client.describe_regions(AllRegions=False)
        return sorted(region["RegionName"] for region in answer["Regions"])

    def _open_client(self, service: str, region: str, config: Config) -> Any:
        with self._making:
            if self._session is None:
                self._session = self._open_session()
            return self._make_client(self._session, service, region, config)


def make_config(attempts: int = _ATTEMPTS) -> Config:
    """Return botocore's configuration for a client that retries temporary faults."""
    return Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        user_agent=AGENT,
        connect_timeout=10,
        read_timeout=60,
    )


def make_lookup_config() -> Config:
    """Return botocore's configuration for a client of LookupEvents."""
    # One attempt: a retry by botocore would take no slot of the quota (ADR-0009). The arguments are not validated,
    # because those of two calls differ only in times and tokens.
    return make_config(attempts=1).merge(Config(parameter_validation=False))


def make_staging_config(connections: int, connection: Config) -> Config:
    """Return botocore's configuration for the client of the staging bucket.

    Retries are those of the connection. By default, botocore adds a CRC to each object
    (https://docs.aws.amazon.com/boto3/latest/guide/s3.html). This client computes only the checksums that S3
    requires, because each request is signed with the SHA-256 of its body, and the manifest has that of each part.

    :param connections: the most connections that are kept open
    :param connection: the configuration of the AWS connection; if it chooses checksums, its choice stays, because
        a bucket with Object Lock rejects an object without one
    """
    return Config(
        user_agent=AGENT,
        max_pool_connections=connections,
        request_checksum_calculation=connection.request_checksum_calculation or "when_required",
        response_checksum_validation=connection.response_checksum_validation or "when_required",
    )


def share_models(session: Session) -> Session:
    """Return the session, which then reads service models only once per process."""
    session._session.register_component("data_loader", LOADER)  # noqa: SLF001 - as Airflow's hook does
    return session


def assume_role(sts: Any, role: str, external_id: str, find_worker: Callable[[], str], home: str) -> Session:
    """Return a session of a role, which requests new credentials before they expire.

    :param sts: a boto3 client of STS with the worker's own credentials
    :param role: the role's ARN
    :param external_id: the external id that the role's trust policy requires; empty: none
    :param find_worker: returns the ARN of the worker's own identity, for the error
    :param home: the session's region
    :raises RoleRefusedError: AWS does not let the worker assume the role
    """

    def request_credentials() -> dict[str, str]:
        external = {"ExternalId": external_id} if external_id else {}
        try:
            with translate_errors(f"Assuming the role {role}", "sts:AssumeRole"):
                answer = sts.assume_role(RoleArn=role, RoleSessionName=SESSION_NAME, **external)
        except AccessDeniedError as error:
            raise RoleRefusedError(_describe_refusal(role, find_worker(), str(error.__cause__))) from error
        credentials = answer["Credentials"]
        return {
            "access_key": credentials["AccessKeyId"],
            "secret_key": credentials["SecretAccessKey"],
            "token": credentials["SessionToken"],
            "expiry_time": credentials["Expiration"].isoformat(),
        }

    core = botocore.session.get_session()
    # botocore has no public way to set credentials that refresh themselves; Airflow's hook does the same.
    core._credentials = RefreshableCredentials.create_from_metadata(  # noqa: SLF001
        request_credentials(), request_credentials, "assume-role"
    )
    return share_models(Session(botocore_session=core, region_name=home))


def _describe_refusal(role: str, worker: str, reason: str) -> str:
    account = role.split(":")[4]
    any_account = role.replace(f"::{account}:", "::*:")
    return (
        f"AWS does not let {worker} assume the role {role}: create the role in account {account} with a trust "
        f'policy that names the worker, and add the statement {{"Effect": "Allow", "Action": "sts:AssumeRole", '
        f'"Resource": "{any_account}"}} to the worker\'s policy (docs/accounts.md has both). '
        f"AWS's message: {reason}"
    )
