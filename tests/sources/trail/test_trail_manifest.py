"""The manifest of a trail's window, and its place in the staging bucket."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from cloudtrail_elasticsearch.core.coverage.findings import Finding, FindingKind, ProofStatus
from cloudtrail_elasticsearch.core.coverage.windows import DAY as ONE_DAY
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.errors import StagingError
from cloudtrail_elasticsearch.sources.trail.prove import keep_manifest
from cloudtrail_elasticsearch.staging import TrailFile, TrailManifest, TrailStaging
from devstack.simulator.trails import tampering
from tests.memory_s3 import MemoryS3
from tests.sources.trail.local_trail import local_trail

START = datetime(2026, 11, 20, tzinfo=UTC)
WINDOW = Window("111122223333", "us-east-1", START, START + ONE_DAY)
ROOT = "audit/AWSLogs/o-exampleorgid/"


def file(number: int, kind: str = "CloudTrail") -> TrailFile:
    time = f"20261120T{number // 60 % 24:02d}{number % 60:02d}Z"
    folder = f"{ROOT}111122223333/{kind}/us-east-1/2026/11/20"
    name = f"111122223333_{kind}_us-east-1_{time}_{number:016d}.json.gz"
    return TrailFile(f"{folder}/{name}", 1000 + number, f"{number:032x}", f"{number:064x}" if number % 3 else None)


def manifest(*files: TrailFile) -> TrailManifest:
    return TrailManifest(
        window=WINDOW,
        bucket="trail",
        root=ROOT,
        files=tuple(sorted(files, key=lambda each: each.key)),
        proof=ProofStatus.INVALID,
        findings=(Finding(FindingKind.MISSING_FILE, "a key", "it is gone"),),
        digests=25,
        listed_at=START + 2 * ONE_DAY,
    )


def test_a_manifest_is_read_back_as_it_was_written() -> None:
    for made in (
        manifest(),
        manifest(file(1)),
        manifest(*(file(number, kind) for number in range(50) for kind in ("CloudTrail", "CloudTrail-Insight"))),
    ):
        assert TrailManifest.decode(made.encode()) == made
    values = msgspec.json.decode(manifest(file(1)).encode())
    assert (values["account"], values["region"], values["proof"]) == ("111122223333", "us-east-1", "invalid")


def test_a_manifest_of_a_busy_day_is_small() -> None:
    """It must stay far below 64 MiB, the most that is read: 50,000 log files take 8 MB."""
    made = manifest(*(replace(file(number), sha256="a" * 64) for number in range(5_000)))
    assert len(made.encode()) / 5_000 < 160


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"account":"1"}', manifest().encode()[:-5]])
def test_other_content_is_not_a_manifest(body: bytes) -> None:
    with pytest.raises(msgspec.MsgspecError):
        TrailManifest.decode(body)


def test_a_kept_manifest_is_replaced_only_if_something_changed() -> None:
    """So a window that is listed again without a change is the same work for a load."""
    s3 = MemoryS3()
    staging = TrailStaging(s3, "staging", "trail", ROOT)
    first = manifest(file(1))
    assert keep_manifest(first, staging) == first
    (key,) = s3.objects
    assert key == (
        "cloudtrail/trail=trail/audit/AWSLogs/o-exampleorgid/"
        "account=111122223333/region=us-east-1/date=2026-11-20/manifest.json"
    )
    later = replace(first, listed_at=first.listed_at + timedelta(hours=1))
    assert keep_manifest(later, staging) == first
    changed = replace(later, files=(file(1), file(2)))
    assert keep_manifest(changed, staging) == changed
    assert staging.manifest(WINDOW) == changed


def test_a_damaged_manifest_is_replaced() -> None:
    s3 = MemoryS3()
    staging = TrailStaging(s3, "staging", "trail", ROOT)
    keep_manifest(manifest(file(1)), staging)
    (key,) = s3.objects
    s3.objects[key] = b"broken"
    with pytest.raises(StagingError, match="was not written by this loader"):
        staging.manifest(WINDOW)
    assert keep_manifest(manifest(file(2)), staging) == manifest(file(2))


def test_the_faster_of_two_attempts_wins() -> None:
    staging = TrailStaging(MemoryS3(), "staging", "trail", ROOT)
    standing = staging.standing(WINDOW)
    assert staging.publish(manifest(file(1)), standing)
    assert not staging.publish(manifest(file(2)), standing)
    assert staging.manifest(WINDOW) == manifest(file(1))


def test_a_listed_window_names_what_is_missing_and_unlisted() -> None:
    with local_trail() as trail:
        region = trail.region()
        keys = [each.key for each in trail.files(region)]
        gone = tampering.delete(trail.objects, keys[0])
        extra = tampering.copy_log_file(trail.objects, keys[1])
        made = trail.list_window(region)
        assert {(each.kind, each.key) for each in made.findings} == {
            (FindingKind.MISSING_FILE, gone),
            (FindingKind.UNLISTED_FILE, extra),
        }
        assert made.proof == "invalid"
        assert [each.key for each in made.files] == sorted({*keys, extra} - {gone})
        assert TrailManifest.decode(made.encode()) == made
