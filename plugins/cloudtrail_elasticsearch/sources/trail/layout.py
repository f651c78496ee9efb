"""The layout of a trail's bucket: folders, and the keys of log files and digests.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-find-log-files.html
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

DIGEST_KIND: Final = "CloudTrail-Digest"
"""The folder of the digests. Every other ``CloudTrail*`` folder of an account has log files."""

_REGION: Final = r"[a-z]{2,6}(?:-[a-z]+)+-\d{1,2}"
"""The name of a region in any partition, such as ``us-east-1``, ``cn-north-1``, ``us-gov-west-1``."""

_FOLDERS: Final = re.compile(
    rf"(?P<account>\d{{12}})/(?P<kind>CloudTrail[^/]*)/(?P<region>{_REGION})"
    r"/(?P<day>\d{4}/\d{2}/\d{2})/(?P<name>.*)",
    re.ASCII | re.DOTALL,
)
_LOG_FILE: Final = re.compile(
    rf"(?P<account>\d{{12}})_(?P<kind>CloudTrail[^_]*)_(?P<region>{_REGION})"
    r"_(?P<time>\d{8}T\d{4}Z)_[A-Za-z0-9]+\.json\.gz",
    re.ASCII,
)
_DIGEST: Final = re.compile(
    rf"(?P<account>\d{{12}})_(?P<kind>CloudTrail-Digest)_(?P<region>{_REGION})"
    rf"_(?P<trail>[A-Za-z0-9._-]+)_(?P<home>{_REGION})_(?P<time>\d{{8}}T\d{{6}}Z)(?P<backfill>_backfill)?\.json\.gz",
    re.ASCII,
)


@dataclass(frozen=True, slots=True, order=True)
class TrailName:
    """A trail, as the names of its digests identify it."""

    name: str
    home_region: str
    """The region in which the trail was created."""


@dataclass(frozen=True, slots=True)
class LogFileKey:
    """The key of a log file, and what its folders and its name say."""

    account: str
    region: str
    kind: str
    """The name of its folder: ``CloudTrail``, ``CloudTrail-Insight``, or a further one."""
    delivered: datetime
    """The minute of delivery in its name, in UTC."""
    key: str


@dataclass(frozen=True, slots=True)
class DigestKey:
    """The key of a digest, and what its folders and its name say."""

    account: str
    region: str
    trail: TrailName
    end: datetime
    """The end of the time that the digest covers, in UTC."""
    is_backfill: bool
    """Whether the digest lists log files that earlier digests omitted."""
    key: str


@dataclass(frozen=True, slots=True)
class MisnamedKey:
    """The key of an object in a trail's day folder that is no name of CloudTrail, or contradicts its folders."""

    key: str
    reason: str


@dataclass(frozen=True, slots=True)
class TrailRoot:
    """The part of a bucket below which one trail, or all trails of an organization, write.

    :param prefix: the trail's S3 key prefix, without slashes at its ends; empty if it has none
    :param organization: the organization's id (``o-…``) if it is an organization trail
    """

    prefix: str = ""
    organization: str | None = None

    @property
    def folder(self) -> str:
        """The folder of all accounts, such as ``prefix/AWSLogs/``."""
        head = f"{self.prefix}/" if self.prefix else ""
        return f"{head}AWSLogs/" + (f"{self.organization}/" if self.organization else "")

    def account_folder(self, account: str) -> str:
        """Return the folder of an account's kinds."""
        return f"{self.folder}{account}/"

    def kind_folder(self, account: str, kind: str) -> str:
        """Return the folder of a kind's regions."""
        return f"{self.account_folder(account)}{kind}/"

    def region_folder(self, account: str, kind: str, region: str) -> str:
        """Return the folder of a region's years."""
        return f"{self.kind_folder(account, kind)}{region}/"

    def day_folder(self, account: str, kind: str, region: str, day: date) -> str:
        """Return the folder of the objects of one UTC day."""
        return f"{self.region_folder(account, kind, region)}{day:%Y/%m/%d}/"

    def parse_key(self, key: str) -> LogFileKey | DigestKey | MisnamedKey | None:
        """Return what a key names; None if it is not in a day folder of this root, or is itself a folder.

        Objects of other services (AWS Config, VPC flow logs, query results) are in other folders, so they give
        None. An object in a day folder always gives a value, so that no object there is silently ignored.
        """
        if not key.startswith(self.folder):
            return None
        folders = _FOLDERS.fullmatch(key[len(self.folder) :])
        if folders is None or folders["name"] == "" or folders["name"].endswith("/"):
            return None
        pattern = _DIGEST if folders["kind"] == DIGEST_KIND else _LOG_FILE
        name = pattern.fullmatch(folders["name"])
        if name is None:
            return MisnamedKey(key, "its name is not one that CloudTrail gives to an object of this folder")
        for part in ("account", "kind", "region"):
            if name[part] != folders[part]:
                return MisnamedKey(key, f"its name has another {part} than its folder")
        time = _parse_time(name["time"])
        if time is None:
            return MisnamedKey(key, "its name has a time that does not exist")
        if name["time"][:8] != folders["day"].replace("/", ""):
            return MisnamedKey(key, "its name has another day than its folder")
        if pattern is _LOG_FILE:
            return LogFileKey(name["account"], name["region"], name["kind"], time, key)
        trail = TrailName(name["trail"], name["home"])
        return DigestKey(name["account"], name["region"], trail, time, name["backfill"] is not None, key)


def is_region(name: str) -> bool:
    """Return whether a folder's name can be that of a region."""
    return re.fullmatch(_REGION, name, re.ASCII) is not None


def _parse_time(text: str) -> datetime | None:
    """Return the time of a text like ``20261120T2359Z`` or ``20261120T235931Z``; None if there is no such time."""
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return None
