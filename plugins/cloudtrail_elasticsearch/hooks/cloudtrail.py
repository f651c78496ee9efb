"""The AWS hook: clients of CloudTrail in any region and of S3, a trail's bucket, the account's id and regions."""

from __future__ import annotations

from functools import cached_property
from typing import Any, Final

from airflow.providers.amazon.aws.hooks.base_aws import AwsBaseHook
from boto3.session import Session
from botocore.config import Config
from botocore.loaders import Loader

from cloudtrail_elasticsearch import __version__
from cloudtrail_elasticsearch.aws_errors import translate_errors
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.documents.own_events import USER_AGENT
from cloudtrail_elasticsearch.sources.lookup_events.client import LookupEvents
from cloudtrail_elasticsearch.sources.trail.bucket import TrailBucket, open_bucket
from cloudtrail_elasticsearch.sources.trail.settings import TrailSettings, find_home_region, read_settings
from cloudtrail_elasticsearch.sources.trail.signatures import FetchedKeys

ANY_REGION: Final = "us-east-1"
"""The region for requests that any region can answer, if the connection names none."""

_ATTEMPTS: Final = 12
_USER_AGENT: Final = f"{USER_AGENT}{__version__}"
_LOADER: Final = Loader()
"""Reads each botocore service model once per process; forked processes share them (ADR-0012)."""


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

    def source(self, window: Window) -> LookupEvents:
        """Return a LookupEvents client for the window's region."""
        # One attempt: a retry by botocore would take no slot of the quota (ADR-0009).
        return LookupEvents(self._make_client("cloudtrail", window.region, _make_config(attempts=1)))

    def s3(self) -> Any:
        """Return a client of S3."""
        return self._make_client("s3", None, Config(user_agent_extra=_USER_AGENT))

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
            config=self.config.merge(_make_config()),
            verify=self.verify,
        )

    def read_trail(self, arn: str) -> TrailSettings:
        """Return the settings of a trail, from its home region.

        :raises PlanError: the text is not the ARN of a trail
        :raises AccessDeniedError: cloudtrail:GetTrail is not allowed
        """
        return read_settings(self._make_client("cloudtrail", find_home_region(arn), _make_config()), arn)

    def public_keys(self) -> FetchedKeys:
        """Return CloudTrail's public keys, which are fetched when a digest's signature is verified."""
        return FetchedKeys(lambda region: self._make_client("cloudtrail", region, _make_config()))

    @cached_property
    def account(self) -> str:
        """The id of the account that the credentials belong to.

        :raises CredentialsError: no credentials were found, or AWS does not accept them
        """
        with translate_errors("Finding the AWS account", "sts:GetCallerIdentity"):
            identity = self._make_client("sts", self._home, _make_config()).get_caller_identity()
        account: str = identity["Account"]
        return account

    def enabled_regions(self) -> list[str]:
        """Return the sorted names of the regions that are enabled for the account.

        :raises AccessDeniedError: ec2:DescribeRegions is not allowed
        """
        with translate_errors("Listing the account's regions", "ec2:DescribeRegions"):
            # Without the opt-in regions that the account has not enabled: they have no events.
            answer = self._make_client("ec2", self._home, _make_config()).describe_regions(AllRegions=False)
        return sorted(region["RegionName"] for region in answer["Regions"])

    @property
    def _home(self) -> str:
        return self._session.region_name or ANY_REGION

    @cached_property
    def _session(self) -> Session:
        session = self.get_session(region_name=self.region_name)
        session._session.register_component("data_loader", _LOADER)  # noqa: SLF001 - as Airflow's hook does
        return session

    def _make_client(self, service: str, region: str | None, config: Config) -> Any:
        return self._session.client(
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
    session._session.register_component("data_loader", _LOADER)  # noqa: SLF001 - as above
    for service in ("cloudtrail", "s3"):
        session.client(service)


def _make_config(attempts: int = _ATTEMPTS) -> Config:
    return Config(
        retries={"mode": "standard", "total_max_attempts": attempts},
        user_agent_extra=_USER_AGENT,
        connect_timeout=10,
        read_timeout=60,
    )
