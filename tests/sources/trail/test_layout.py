"""The layout of a trail's bucket: keys of log files and digests are recognised, contradictions are named."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_elasticsearch.sources.trail.layout import (
    DIGEST_KIND,
    DigestKey,
    LogFileKey,
    MisnamedKey,
    TrailName,
    TrailRoot,
)

ACCOUNT = "111122223333"
ROOTS = [TrailRoot(), TrailRoot("a/b"), TrailRoot("", "o-exampleorgid"), TrailRoot("x", "o-exampleorgid")]
REGIONS = ["us-east-1", "ap-southeast-4", "cn-northwest-1", "us-gov-west-1", "us-isob-east-1", "eusc-de-east-1"]

each_root = pytest.mark.parametrize("root", ROOTS, ids=lambda root: root.folder)


def log_file(region: str = "us-east-1", kind: str = "CloudTrail") -> str:
    return f"{ACCOUNT}_{kind}_{region}_20261120T2359Z_9nYN7gp2eWAJHIfT.json.gz"


def digest(region: str = "us-east-1", trail: str = "my_trail-1.x", suffix: str = "") -> str:
    return f"{ACCOUNT}_CloudTrail-Digest_{region}_{trail}_eu-west-1_20261120T000131Z{suffix}.json.gz"


@each_root
@pytest.mark.parametrize("region", REGIONS)
@pytest.mark.parametrize("kind", ["CloudTrail", "CloudTrail-Insight", "CloudTrail-NetworkActivity", "CloudTrail9"])
def test_a_log_file_of_any_kind_and_partition_is_recognised(root: TrailRoot, region: str, kind: str) -> None:
    """The kind is the folder's name; no list of kinds is assumed."""
    key = f"{root.day_folder(ACCOUNT, kind, region, date(2026, 11, 20))}{log_file(region, kind)}"
    delivered = datetime(2026, 11, 20, 23, 59, tzinfo=UTC)
    assert root.parse_key(key) == LogFileKey(ACCOUNT, region, kind, delivered, key)


@each_root
@pytest.mark.parametrize("suffix", ["", "_backfill"])
def test_a_digest_is_recognised(root: TrailRoot, suffix: str) -> None:
    """A trail's name can have underscores; the region after it is the trail's home region."""
    folder = root.day_folder(ACCOUNT, DIGEST_KIND, "cn-north-1", date(2026, 11, 20))
    key = f"{folder}{digest('cn-north-1', suffix=suffix)}"
    end = datetime(2026, 11, 20, 0, 1, 31, tzinfo=UTC)
    trail = TrailName("my_trail-1.x", "eu-west-1")
    assert root.parse_key(key) == DigestKey(ACCOUNT, "cn-north-1", trail, end, bool(suffix), key)


@pytest.mark.parametrize(
    "key",
    [
        f"AWSLogs/{ACCOUNT}/Config/us-east-1/2026/11/20/ConfigHistory/{ACCOUNT}_Config_us-east-1.json.gz",
        f"AWSLogs/{ACCOUNT}/vpcflowlogs/us-east-1/2026/11/20/{ACCOUNT}_vpcflowlogs_us-east-1_fl-1_x.log.gz",
        f"AWSLogs/{ACCOUNT}/elasticloadbalancing/us-east-1/2026/11/20/x.log.gz",
        f"other/AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/2026/11/20/{log_file()}",
        f"AWSLogs/o-exampleorgid/{ACCOUNT}/CloudTrail/us-east-1/2026/11/20/{log_file()}",
        "athena/Unsaved/2026/11/20/0a1b.csv",
        f"AWSLogs/{ACCOUNT}/CloudTrail/",
        f"AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/2026/11/20/",
        f"AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/2026/11/20/folder/",
        f"AWSLogs/{ACCOUNT}/CloudTrail/us-east-1/readme.txt",
        f"AWSLogs/12345/CloudTrail/us-east-1/2026/11/20/{log_file()}",
        "",
    ],
)
def test_other_objects_and_folders_are_no_part_of_the_trail(key: str) -> None:
    """Objects of other services, of other roots, and the objects that mark folders."""
    assert TrailRoot().parse_key(key) is None


@pytest.mark.parametrize(
    ("folder", "name", "reason"),
    [
        ("444455556666/CloudTrail/us-east-1/2026/11/20/", log_file(), "another account"),
        (f"{ACCOUNT}/CloudTrail-Insight/us-east-1/2026/11/20/", log_file(), "another kind"),
        (f"{ACCOUNT}/CloudTrail/us-east-2/2026/11/20/", log_file(), "another region"),
        (f"{ACCOUNT}/CloudTrail/us-east-1/2026/11/21/", log_file(), "another day"),
        (f"{ACCOUNT}/CloudTrail/us-east-1/2026/11/20/", digest(), "not one that CloudTrail gives"),
        (f"{ACCOUNT}/CloudTrail/us-east-1/2026/11/20/", "notes.txt", "not one that CloudTrail gives"),
        (f"{ACCOUNT}/CloudTrail/us-east-1/2026/11/20/", log_file() + "\n", "not one that CloudTrail gives"),
        (f"{ACCOUNT}/CloudTrail/us-east-1/2026/11/20/", "a/" + log_file(), "not one that CloudTrail gives"),
        (f"{ACCOUNT}/CloudTrail/us-east-1/2026/02/30/", log_file().replace("1120", "0230"), "does not exist"),
        (f"{ACCOUNT}/CloudTrail-Digest/us-east-1/2026/11/20/", log_file(), "not one that CloudTrail gives"),
        (f"{ACCOUNT}/CloudTrail-Digest/us-west-1/2026/11/20/", digest(), "another region"),
    ],
)
def test_a_name_that_contradicts_its_folder_is_named(folder: str, name: str, reason: str) -> None:
    """Nothing in a day folder is silently taken or ignored."""
    key = f"AWSLogs/{folder}{name}"
    parsed = TrailRoot().parse_key(key)
    assert isinstance(parsed, MisnamedKey)
    assert parsed.key == key
    assert reason in parsed.reason


@given(st.sampled_from(ROOTS), st.text())
def test_any_key_is_parsed_without_an_error(root: TrailRoot, text: str) -> None:
    """Keys are whatever somebody put into the bucket."""
    folder = root.day_folder(ACCOUNT, "CloudTrail", "us-east-1", date(2026, 11, 20))
    assert not isinstance(root.parse_key(text), MisnamedKey) or text.startswith(root.folder)
    assert isinstance(root.parse_key(f"{folder}{text}"), MisnamedKey | None)
