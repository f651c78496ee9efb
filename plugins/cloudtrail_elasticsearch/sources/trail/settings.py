"""The settings of a trail, which GetTrail returns.

https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_GetTrail.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from cloudtrail_elasticsearch.aws_errors import translate_errors
from cloudtrail_elasticsearch.core.errors import ConfigurationError, PlanError
from cloudtrail_elasticsearch.sources.trail.layout import TrailName

_ARN: Final = re.compile(
    r"arn:[a-z-]+:cloudtrail:(?P<region>[a-z0-9-]+):\d{12}:trail/(?P<name>[A-Za-z0-9._-]+)", re.ASCII
)


@dataclass(frozen=True, slots=True)
class TrailSettings:
    """Where a trail writes, and whether AWS signs what it writes."""

    trail: TrailName
    bucket: str
    prefix: str
    """The key prefix; empty if it has none."""
    is_of_organization: bool
    is_validated: bool
    """Whether log file validation is on now."""
    is_multi_region: bool


def find_home_region(arn: str) -> str:
    """Return the region in an ARN of a trail.

    :raises PlanError: the text is not the ARN of a trail
    """
    found = _ARN.fullmatch(arn)
    if found is None:
        raise PlanError(
            f"trail is {arn!r}, which is not the ARN of a trail. Write it like "
            f"arn:aws:cloudtrail:us-east-1:123456789012:trail/NAME, or give trail_bucket and trail_prefix instead."
        )
    return found["region"]


def read_settings(client: Any, arn: str) -> TrailSettings:
    """Return a trail's settings.

    :param client: boto3's CloudTrail client of the trail's home region
    :raises AccessDeniedError: cloudtrail:GetTrail is not allowed
    :raises ConfigurationError: there is no such trail, or it has no bucket
    """
    with translate_errors(f"Reading the settings of the trail {arn}", "cloudtrail:GetTrail"):
        trail = client.get_trail(Name=arn)["Trail"]
    bucket = trail.get("S3BucketName")
    if not bucket:
        raise ConfigurationError(f"The trail {arn} writes to no S3 bucket, so there is nothing to load.")
    return TrailSettings(
        trail=TrailName(trail["Name"], trail["HomeRegion"]),
        bucket=bucket,
        prefix=trail.get("S3KeyPrefix", ""),
        is_of_organization=bool(trail.get("IsOrganizationTrail")),
        is_validated=bool(trail.get("LogFileValidationEnabled")),
        is_multi_region=bool(trail.get("IsMultiRegionTrail")),
    )
