"""The regions of a default account, and the share of events of each."""

from __future__ import annotations

from typing import Final

SHARES: Final[dict[str, float]] = {
    "us-east-1": 1.0,
    "us-east-2": 0.22,
    "us-west-1": 0.03,
    "us-west-2": 0.45,
    "ap-south-1": 0.0,
    "ap-northeast-1": 0.10,
    "ap-northeast-2": 0.0,
    "ap-northeast-3": 0.0,
    "ap-southeast-1": 0.12,
    "ap-southeast-2": 0.06,
    "ca-central-1": 0.04,
    "eu-central-1": 0.20,
    "eu-west-1": 0.45,
    "eu-west-2": 0.03,
    "eu-west-3": 0.0,
    "eu-north-1": 0.0,
    "sa-east-1": 0.002,
}
"""Each region's events per event of the busiest one."""

REGIONS: Final = tuple(SHARES)
"""The 17 regions that every AWS account has enabled from the start."""

GLOBAL_REGION: Final = "us-east-1"
"""Where CloudTrail puts the events of global services."""
