"""The AWS hook: S3, a trail's bucket, the worker's identity, its organization, and lookups in any account."""

from __future__ import annotations

import threading
from functools import cached_property
from typing import Any, Final

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from boto3.session import Session
from botocore.config import Config

from cloudtrail_elasticsearch.aws_errors import translate_errors
from cloudtrail_elasticsearch.core.coverage.accounts import Account
from cloudtrail_elasticsearch.hooks.account_clients import (
    AccountClients,
    assume_role,
    make_config,
    make_staging_config,
    share_models,
)
from cloudtrail_elasticsearch.sources.trail.bucket import TrailBucket, open_bucket
from cloudtrail_elasticsearch.sources.trail.settings import TrailSettings, find_home_region, read_settings
from cloudtrail_elasticsearch.sources.trail.signatures import FetchedKeys

ANY_REGION: Final = "us-east-1"
"""The region for requests that any region can answer, if the connection names none."""

_ACTIVE: Final = "ACTIVE"

_S3_CONNECTIONS: Final = 64
"""The most threads of a batch that stage parts at once: 8 busy windows with 8 slices each."""


class CloudTrailHook(AwsBaseHook):
    """Makes AWS clients from one session, so that the connection is read and a role is assumed only once.

    botocore retries temporary faults (standard mode, backoff of up to 20 s), with two exceptions: `LookupEvents`
    retries its own, because it keeps to the region's quota, and S3 retries as the connection configures it.

    `AwsBaseHook.get_conn` is not used: it walks the whole call stack for each client to report its caller to AWS,
    which took a third of a quiet cell's time.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["client_type"] = "cloudtrail"
        super().__init__(*args, **kwargs)
        self._by_role: dict[str, AccountClients] = {}
        self._opening = threading.Lock()

    def open_account(self, role: str = "", external_id: str = "") -> AccountClients:
        """Return the clients of the account that a role belongs to; threads may share them.

        :param role: the ARN of the role to assume; empty: the connection's own identity is used
        :param external_id: the external id that the role's trust policy requires
        """
        with self._opening:
            if role not in self._by_role:
                self._by_role[role] = AccountClients(
                    lambda: self._assume_role(role, external_id) if role else self._session,
                    self._make_session_client,
                    self._home,
                )
            return self._by_role[role]

    def s3(self) -> Any:
        """Return a client of S3; the threads of a batch may share it."""
        connections = max(_S3_CONNECTIONS, self.config.max_pool_connections)
        return self._make_client("s3", None, make_staging_config(connections, self.config))

    def open_trail_bucket(self, name: str, folder: str) -> TrailBucket:
        """Return a trail's bucket, in whichever region and account it is.

        :param folder: a folder that the role may list, such as ``AWSLogs/``
        :raises AccessDeniedError: s3:ListBucket is not allowed
        :raises ConfigurationError: there is no such bucket
        :raises TransientError: S3 cannot be reached
        """
        return open_bucket(
            self._session,
            name,
            folder,
            endpoint_url=self.conn_config.get_service_endpoint_url("s3"),
            # `TrailBucket` retries its requests itself.
            config=self.config.merge(make_config()),
            verify=self.verify,
        )

    def read_trail(self, arn: str) -> TrailSettings:
        """Return the settings of a trail, from its home region.

        :raises PlanError: the text is not the ARN of a trail
        :raises AccessDeniedError: cloudtrail:GetTrail is not allowed
        """
        return read_settings(self._make_client("cloudtrail", find_home_region(arn), make_config()), arn)

    def public_keys(self) -> FetchedKeys:
        """Return CloudTrail's public keys, which are fetched when a digest's signature is verified."""
        return FetchedKeys(lambda region: self._make_client("cloudtrail", region, make_config()))

    @property
    def account(self) -> str:
        """The id of the account that the credentials belong to.

        :raises CredentialsError: no credentials were found, or AWS does not accept them
        """
        account: str = self._identity["Account"]
        return account

    @property
    def partition(self) -> str:
        """The partition of AWS that the credentials belong to, such as ``aws``."""
        return self._identity["Arn"].split(":")[1] or "aws"

    def list_accounts(self) -> list[Account]:
        """Return the active accounts of the organization, sorted by id.

        :raises AccessDeniedError: organizations:ListAccounts is not allowed, or the account is neither the
            management account nor a delegated administrator
        :raises ConfigurationError: the account is in no organization
        """
        with translate_errors("Listing the accounts of the organization", "organizations:ListAccounts"):
            pages = self._make_client("organizations", self._home, make_config()).get_paginator("list_accounts")
            found = [account for page in pages.paginate() for account in page["Accounts"]]
        # AWS replaces Status by State: https://docs.aws.amazon.com/organizations/latest/APIReference/API_Account.html
        active = (each for each in found if (each.get("State") or each.get("Status")) == _ACTIVE)
        return sorted((Account(each["Id"], each.get("Name", "")) for each in active), key=lambda each: each.id)

    @cached_property
    def _identity(self) -> dict[str, str]:
        with translate_errors("Finding the AWS account", "sts:GetCallerIdentity"):
            identity: dict[str, str] = self._make_client("sts", self._home, make_config()).get_caller_identity()
        return identity

    def _assume_role(self, role: str, external_id: str) -> Session:
        with self._opening:
            sts = self._make_client("sts", self._home, make_config())
        return assume_role(sts, role, external_id, lambda: self._identity["Arn"], self._home)

    @property
    def _home(self) -> str:
        return self._session.region_name or ANY_REGION

    @cached_property
    def _session(self) -> Session:
        return share_models(self.get_session(region_name=self.region_name))

    def _make_client(self, service: str, region: str | None, config: Config) -> Any:
        return self._make_session_client(self._session, service, region, config)

    def _make_session_client(self, session: Session, service: str, region: str | None, config: Config) -> Any:
        return session.client(
            service,
            region_name=region,
            endpoint_url=self.conn_config.get_service_endpoint_url(service),
            config=self.config.merge(config),
            verify=self.verify,
        )


def read_models() -> None:
    """Read botocore's service models in advance, for this process and its forks."""
    # Otherwise botocore would search for credentials, at the machine's metadata service, too.
    session = Session(aws_access_key_id="none", aws_secret_access_key="none", region_name=ANY_REGION)  # noqa: S106
    share_models(session)
    for service in ("cloudtrail", "ec2", "s3", "sts"):
        session.client(service)
