"""Links to other tools."""

from __future__ import annotations

import pytest

from cloudtrail_elasticsearch.ui.addresses import staged_objects


@pytest.mark.parametrize(
    ("region", "console"),
    [
        ("eu-west-1", "console.aws.amazon.com"),
        ("cn-north-1", "console.amazonaws.cn"),
        ("us-gov-west-1", "console.amazonaws-us-gov.com"),
    ],
)
def test_staged_objects_link_to_the_console_of_their_partition(region: str, console: str) -> None:
    """To the exact folder of S3, without others whose names begin alike."""
    assert staged_objects("mine", "cloudtrail/account=1/date=2026-11-20", region) == (
        f"https://{console}/s3/buckets/mine?prefix=cloudtrail%2Faccount%3D1%2Fdate%3D2026-11-20%2F"
    )
