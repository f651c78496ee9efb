"""The AWS side: CloudTrail in any region, the staging bucket's S3, and what the account is."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from boto3.session import Session
from botocore.config import Config
from botocore.loaders import Loader

from cloudtrail_elasticsearch import __version__
from cloudtrail_elasticsearch.aws_errors import told
from cloudtrail_elasticsearch.core.own import USER_AGENT
from cloudtrail_elasticsearch.core.windows import Window
from cloudtrail_elasticsearch.sources.lookup_events import LookupEvents

ANY_REGION: Final = "us-east-1"
"""For what any region answers alike, where the connection names none."""

_ATTEMPTS: Final = 12
_USER_AGENT: Final = f"{USER_AGENT}{__version__}"
_LOADER: Final = Loader()
"""Reads each of botocore's service models once in a process, and in those forked from it."""


class CloudTrailHook(AwsBaseHook):
    """Makes clients of an AWS connection, all of one session: the connection is read and a role assumed once.

    Passing faults are retried by botocore (standard mode, backing off up to 20 s); those of LookupEvents by
    `LookupEvents` itself, which keeps to the region's quota, and those of S3 as the connection says.

    The clients are not those of `AwsBaseHook.get_conn`, which looks through the whole call stack for each one to
    name its caller to AWS: a third of the time that a quiet cell took.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["client_type"] = "cloudtrail"
        super().__init__(*args, **kwargs)

    def source(self, window: Window) -> LookupEvents:
        """Return what pages through a window: a LookupEvents client of its region."""
        return LookupEvents(self._client("cloudtrail", window.region, _patient(attempts=1)))

    def s3(self) -> Any:
        """Return a client of S3."""
        return self._client("s3", None, Config(user_agent_extra=_USER_AGENT))

    @cached_property
    def account(self) -> str:
        """The id of the account that the credentials belong to.

        :raises CredentialsError: there are none, or AWS does not know them
        """
        with told("Finding the AWS account", "sts:GetCallerIdentity"):
            identity = self._client("sts", self._home, _patient()).get_caller_identity()
        account: str = identity["Account"]
        return account

    def enabled_regions(self) -> list[str]:
        """Return the regions that are enabled for the account, by name.

        :raises AccessDeniedError: ec2:DescribeRegions is not allowed
        """
        with told("Listing the account's regions", "ec2:DescribeRegions"):
            answer = self._client("ec2", self._home, _patient()).describe_regions(AllRegions=False)
        return sorted(region["RegionName"] for region in answer["Regions"])

    @property
    def _home(self) -> str:
        return self._session.region_name or ANY_REGION

    @cached_property
    def _session(self) -> Session:
        session = self.get_session(region_name=self.region_name)
        session._session.register_component("data_loader", _LOADER)  # noqa: SLF001 - as Airflow's hook does
        return session

    def _client(self, service: str, region: str | None, config: Config) -> Any:
        return self._session.client(
            service,
            region_name=region,
            endpoint_url=self.conn_config.get_service_endpoint_url(service),
            config=self.config.merge(config),
            verify=self.verify,
        )


def read_models() -> None:
    """Have botocore's models of the services read before the first client is made, in this process or a fork."""
    session = Session(aws_access_key_id="none", aws_secret_access_key="none", region_name=ANY_REGION)  # noqa: S106
    session._session.register_component("data_loader", _LOADER)  # noqa: SLF001 - as above
    for service in ("cloudtrail", "s3"):
        session.client(service)


def _patient(attempts: int = _ATTEMPTS) -> Config:
    return Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        user_agent_extra=_USER_AGENT,
        connect_timeout=10,
        read_timeout=60,
    )
