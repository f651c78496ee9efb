"""The AWS side: CloudTrail in any region, and what the account is."""

from __future__ import annotations

from functools import cached_property
from typing import Any

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from botocore.config import Config

from cloudtrail_elasticsearch import __version__
from cloudtrail_elasticsearch.aws_errors import told
from cloudtrail_elasticsearch.core.own import USER_AGENT
from cloudtrail_elasticsearch.core.windows import Window
from cloudtrail_elasticsearch.sources.lookup_events import LookupEvents

_ATTEMPTS = 12


class CloudTrailHook(AwsBaseHook):
    """Looks up events through an AWS connection.

    Passing faults are retried by botocore (standard mode, backing off up to 20 s); those of LookupEvents by
    `LookupEvents` itself, which keeps to the region's quota.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        kwargs["client_type"] = "cloudtrail"
        kwargs.setdefault("config", _config())
        super().__init__(*args, **kwargs)

    def source(self, window: Window) -> LookupEvents:
        """Return what pages through a window: a LookupEvents client of its region."""
        hook = type(self)(
            aws_conn_id=self.aws_conn_id,
            region_name=window.region,
            verify=self._verify,
            config=_config(attempts=1),
        )
        return LookupEvents(hook.get_conn())

    @cached_property
    def account(self) -> str:
        """The id of the account that the credentials belong to.

        :raises CredentialsError: there are none, or AWS does not know them
        """
        with told("Finding the AWS account", "sts:GetCallerIdentity"):
            identity = self._client("sts").get_caller_identity()
        account: str = identity["Account"]
        return account

    def enabled_regions(self) -> list[str]:
        """Return the regions that are enabled for the account, by name.

        :raises AccessDeniedError: ec2:DescribeRegions is not allowed
        """
        with told("Listing the account's regions", "ec2:DescribeRegions"):
            answer = self._client("ec2").describe_regions(AllRegions=False)
        return sorted(region["RegionName"] for region in answer["Regions"])

    def _client(self, service: str) -> Any:
        """A client of another service; any region serves for what is asked of it."""
        region = self.region_name or "us-east-1"
        return self.get_session(region_name=region).client(
            service,
            endpoint_url=self.conn_config.get_service_endpoint_url(service),
            config=self.config,
            verify=self.verify,
        )


def _config(attempts: int = _ATTEMPTS) -> Config:
    return Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        user_agent_extra=f"{USER_AGENT}{__version__}",
        connect_timeout=10,
        read_timeout=60,
    )
