"""The operations on trails without HTTP: ListPublicKeys, GetTrail, DescribeTrails and GetTrailStatus.

https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_ListPublicKeys.html
https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_DescribeTrails.html
"""

from __future__ import annotations

import base64
import re
from collections.abc import Callable, Iterator, Mapping
from types import MappingProxyType
from typing import Any, Final

from devstack.simulator import errors
from devstack.simulator.request import read_time
from devstack.simulator.trails.keys import SigningKeys
from devstack.simulator.trails.trail import Trail

_ARN = re.compile(r"arn:aws:cloudtrail:[\w-]+:\d{12}:trail/[\w.-]+")
_NAME = re.compile(r"(?=.{3,128}$)[A-Za-z0-9]+(?:[._-][A-Za-z0-9]+)*")


class TrailOperations:
    """Answers requests about trails. `now` returns epoch seconds.

    A trail is found by its name in its home region, and by its ARN everywhere. The trail of an organization is
    shown to every account; another trail only to the account that owns it.
    """

    def __init__(self, trails: Mapping[str, Trail], keys: SigningKeys, now: Callable[[], float]) -> None:
        self._trails = trails
        self._keys = keys
        self._now = now

    def list_public_keys(self, body: Mapping[str, Any], account: str, region: str) -> dict[str, Any]:
        """Return the public keys of the region that sign digests in the requested time.

        :raises ApiError: the start is after the end
        """
        del account
        now = int(self._now())
        start, end = read_time(body, "StartTime"), read_time(body, "EndTime")
        end = now if end is None else end
        start = min(now, end) if start is None else start
        if end < start:
            raise errors.invalid_time_range("The start time is after the end time")
        keys = [
            {
                "Value": base64.b64encode(key.public).decode(),
                "ValidityStartTime": key.start,
                "ValidityEndTime": key.end,
                "Fingerprint": key.fingerprint,
            }
            for key in self._keys.between(region, start, end)
        ]
        return {"PublicKeyList": keys}

    def get_trail(self, body: Mapping[str, Any], account: str, region: str) -> dict[str, Any]:
        """Return the settings of a trail.

        :raises ApiError: there is no such trail, or the name is not valid
        """
        return {"Trail": _settings(self._find(body.get("Name"), account, region))}

    def describe_trails(self, body: Mapping[str, Any], account: str, region: str) -> dict[str, Any]:
        """Return the settings of the named trails, or of all; those that do not exist are left out.

        :raises ApiError: a name is not valid
        """
        names = body.get("trailNameList") or []
        shadows = body.get("includeShadowTrails", True)
        found = [*self._named(names, account, region)] if names else [*self._shown(account)]
        own = [trail for trail in found if shadows or (trail.home_region, trail.account) == (region, account)]
        return {"trailList": [_settings(trail) for trail in own]}

    def get_trail_status(self, body: Mapping[str, Any], account: str, region: str) -> dict[str, Any]:
        """Return whether a trail is logging.

        :raises ApiError: there is no such trail, or the name is not valid
        """
        trail = self._find(body.get("Name"), account, region)
        return {"IsLogging": trail.is_logging, "LatestDeliveryTime": int(self._now())}

    def _find(self, name: object, account: str, region: str) -> Trail:
        for trail in self._named([name], account, region):
            return trail
        raise errors.trail_not_found(str(name), account)

    def _named(self, names: list[object], account: str, region: str) -> Iterator[Trail]:
        for name in names:
            is_arn = _is_arn(name)
            for trail in self._shown(account):
                if name == (trail.arn if is_arn else trail.name) and (is_arn or trail.home_region == region):
                    yield trail

    def _shown(self, account: str) -> Iterator[Trail]:
        # A list, because the control interface can add a trail meanwhile.
        return (trail for trail in [*self._trails.values()] if trail.organization or trail.account == account)


def _is_arn(name: object) -> bool:
    """Return whether a text is the ARN of a trail, else it is the name of one.

    :raises ApiError: it is neither
    """
    if isinstance(name, str) and name.startswith("arn:"):
        if not _ARN.fullmatch(name):
            raise errors.invalid_trail_arn(name)
        return True
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise errors.invalid_trail_name(name)
    return False


def _settings(trail: Trail) -> dict[str, Any]:
    optional = {"S3KeyPrefix": trail.prefix, "KmsKeyId": trail.kms_key}
    return {
        "Name": trail.name,
        "S3BucketName": trail.bucket,
        **{name: value for name, value in optional.items() if value},
        "IncludeGlobalServiceEvents": True,
        "IsMultiRegionTrail": True,
        "HomeRegion": trail.home_region,
        "TrailARN": trail.arn,
        "LogFileValidationEnabled": trail.validation,
        "HasCustomEventSelectors": True,
        "HasInsightSelectors": True,
        "IsOrganizationTrail": trail.organization is not None,
    }


Operation = Callable[[TrailOperations, Mapping[str, Any], str, str], dict[str, Any]]

OPERATIONS: Final[Mapping[str, Operation]] = MappingProxyType(
    {
        "ListPublicKeys": TrailOperations.list_public_keys,
        "GetTrail": TrailOperations.get_trail,
        "DescribeTrails": TrailOperations.describe_trails,
        "GetTrailStatus": TrailOperations.get_trail_status,
    }
)
"""The operations by their names in the API."""
