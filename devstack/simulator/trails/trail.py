"""A trail, and the names of the objects that it delivers.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html
"""

from __future__ import annotations

import enum
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

DIGESTS: Final = "CloudTrail-Digest"
"""The folder of the digests."""


class Kind(enum.StrEnum):
    """A kind of log file, named by its folder."""

    EVENTS = "CloudTrail"
    INSIGHTS = "CloudTrail-Insight"
    NETWORK_ACTIVITY = "CloudTrail-NetworkActivity"
    AGGREGATED = "CloudTrail-Aggregated"


@dataclass(frozen=True, slots=True)
class Trail:
    """The settings of a trail. `account` owns it; with an `organization` it records the member accounts, too."""

    bucket: str
    prefix: str = ""
    name: str = "organization"
    account: str = "123456789012"
    home_region: str = "us-east-1"
    organization: str | None = "o-exampleorgid"
    validation: bool = True
    kms_key: str | None = None
    is_logging: bool = True

    @property
    def arn(self) -> str:
        """The trail's ARN."""
        return f"arn:aws:cloudtrail:{self.home_region}:{self.account}:trail/{self.name}"

    @property
    def root(self) -> str:
        """The folder of the accounts' folders, with a slash at its end."""
        parts = (self.prefix, "AWSLogs", self.organization)
        return "".join(f"{part}/" for part in parts if part)

    def folder(self, account: str, folder: str, region: str, time: int) -> str:
        """Return the folder of a day, with a slash at its end; `time` is in epoch seconds."""
        return f"{self.root}{account}/{folder}/{region}/{_at(time):%Y/%m/%d}/"

    def log_file_key(self, account: str, kind: Kind, region: str, delivered: int, random: str) -> str:
        """Return the key of a log file; `random` has 16 letters and digits."""
        name = f"{account}_{kind}_{region}_{_at(delivered):%Y%m%dT%H%MZ}_{random}.json.gz"
        return self.folder(account, kind, region, delivered) + name

    def digest_key(self, account: str, region: str, end: int) -> str:
        """Return the key of the digest of the hour that ends at `end`."""
        return f"{self._digest(account, region, end)}.json.gz"

    def backfill_digest_key(self, account: str, region: str, end: int) -> str:
        """Return the key of the digest of log files that the digest of the same hour does not list."""
        return f"{self._digest(account, region, end)}_backfill.json.gz"

    def _digest(self, account: str, region: str, end: int) -> str:
        name = f"{account}_{DIGESTS}_{region}_{self.name}_{self.home_region}_{_at(end):%Y%m%dT%H%M%SZ}"
        return self.folder(account, DIGESTS, region, end) + name


def _at(time: int) -> datetime:
    return datetime.fromtimestamp(time, UTC)
