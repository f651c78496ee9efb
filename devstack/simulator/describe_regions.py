"""DescribeRegions without HTTP.

https://docs.aws.amazon.com/AWSEC2/latest/APIReference/API_DescribeRegions.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from devstack.simulator import errors
from devstack.simulator.regions import REGIONS

OPT_IN_REGIONS: Final = ("af-south-1", "ap-east-1", "eu-south-1", "me-south-1")
"""Some of the regions that an account must enable before it can use them."""


def describe_regions(enabled: Sequence[str], parameters: Mapping[str, str]) -> dict[str, Any]:
    """Return the enabled regions, and with AllRegions the others, too.

    :raises ApiError: a named region is unknown, or there is a filter, which the simulator does not have
    """
    if any(name.startswith("Filter.") for name in parameters):
        raise errors.invalid_parameter("The simulator's DescribeRegions has no filters")
    others = (*REGIONS, *OPT_IN_REGIONS) if parameters.get("AllRegions") == "true" else ()
    listed = [*dict.fromkeys((*enabled, *others))]
    named = [value for name, value in parameters.items() if name.startswith("RegionName.")]
    for name in named:
        if name not in listed:
            raise errors.invalid_parameter(f"Invalid region provided: {name}")
    return {"regionInfo": [_describe(name, enabled) for name in listed if not named or name in named]}


def _describe(name: str, enabled: Sequence[str]) -> dict[str, str]:
    opted_in = "opted-in" if name in enabled else "not-opted-in"
    return {
        "regionName": name,
        "regionEndpoint": f"ec2.{name}.amazonaws.com",
        "optInStatus": "opt-in-not-required" if name in REGIONS else opted_in,
    }
