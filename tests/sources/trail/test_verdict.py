"""The verdict: every listed file was read with its hash, and every file that was read is listed."""

from __future__ import annotations

import gzip
from dataclasses import replace

import pytest

from cloudtrail_elasticsearch.core.coverage.findings import (
    Finding,
    FindingKind,
    ProofStatus,
    find_status,
)
from cloudtrail_elasticsearch.sources.trail.layout import LogFileKey, MisnamedKey, TrailRoot
from cloudtrail_elasticsearch.sources.trail.verdict import FileCheck

from .memory_trail import DAY, HOUR, MINUTE, OTHER_REGION, found, intact_trail, judge, log_files, prove, sha256_of


@pytest.mark.promise("proven-by-aws")
def test_one_altered_one_removed_one_added_and_one_foreign_object_are_named() -> None:
    """Exactly these; everything else is proven."""
    trail, _ = intact_trail()
    files = [file.key for file in log_files(trail.bucket)]
    altered, removed, unlisted = files[3], files[9], trail.deliver(DAY + 5 * HOUR, "forged")
    misnamed = f"{altered.rpartition('/')[0]}/notes.txt"
    trail.bucket.put(altered, gzip.compress(b'{"Records":[]}'))
    trail.bucket.objects.pop(removed)
    trail.bucket.put(misnamed, b"")
    trail.bucket.put("logs/AWSLogs/111122223333/Config/x.json.gz", b"")
    verdict = judge(trail.bucket)
    assert verdict.status is ProofStatus.INVALID
    assert found(verdict) == {
        ("altered_file", altered),
        ("missing_file", removed),
        ("unlisted_file", unlisted),
        ("misnamed", misnamed),
    }
    assert verdict.proven == len(files) - 2


@pytest.mark.promise("proven-by-aws")
@pytest.mark.parametrize("suffix", [b"\0", gzip.compress(b'{"Records":[]}'), b"{}"])
def test_data_after_the_end_of_a_log_file_alters_it(suffix: bytes) -> None:
    """No hash covers it, and a reader of several gzip members would load it."""
    trail, _ = intact_trail()
    file = next(log_files(trail.bucket))
    trail.bucket.put(file.key, trail.bucket.objects[file.key].body + suffix)
    assert found(judge(trail.bucket)) == {("altered_file", file.key)}


@pytest.mark.promise("proven-by-aws")
def test_another_compression_of_the_same_content_is_proven() -> None:
    """AWS hashes the uncompressed content."""
    trail, _ = intact_trail()
    for file in log_files(trail.bucket):
        text = gzip.decompress(trail.bucket.objects[file.key].body)
        trail.bucket.put(file.key, gzip.compress(text, 1, mtime=7))
    assert judge(trail.bucket).status is ProofStatus.SIGNED


@pytest.mark.promise("proven-by-aws")
def test_files_may_be_added_again_in_any_order() -> None:
    """A further attempt reads some of them again; a wrong hash counts whenever it was seen."""
    trail, _ = intact_trail()
    proof = prove(trail.bucket)
    files = list(log_files(trail.bucket))
    check = FileCheck(proof)
    for file in [*reversed(files), *files]:
        assert check.add_file(file, sha256_of(trail.bucket.objects[file.key].body)) is None
    assert check.finish().status is ProofStatus.SIGNED
    problem = check.add_file(files[0], "00" * 32)
    assert problem is not None
    assert problem.kind is FindingKind.ALTERED_FILE
    verdict = check.finish()
    assert (verdict.status, verdict.proven) == (ProofStatus.INVALID, len(files) - 1)


@pytest.mark.promise("proven-by-aws")
def test_a_file_without_a_usable_hash_is_altered() -> None:
    """It is named at once, so that its load can be stopped."""
    trail, _ = intact_trail()
    check = FileCheck(prove(trail.bucket))
    file = next(log_files(trail.bucket))
    problem = check.add_file(file, None)
    assert problem is not None
    assert (problem.kind, problem.key) == (FindingKind.ALTERED_FILE, file.key)


@pytest.mark.promise("proven-by-aws")
def test_a_window_whose_files_were_not_read_is_not_signed() -> None:
    """The digests alone prove nothing about what was read."""
    trail, _ = intact_trail()
    verdict = FileCheck(prove(trail.bucket)).finish()
    assert verdict.status is ProofStatus.INVALID
    assert {str(each.kind) for each in verdict.findings} == {"missing_file"}
    assert verdict.proven == 0


@pytest.mark.promise("proven-by-aws")
@pytest.mark.parametrize("change", ["account", "region", "time"])
def test_a_file_of_another_window_is_rejected(change: str) -> None:
    """The caller compares a file with the proof of its own window."""
    trail, _ = intact_trail()
    check = FileCheck(prove(trail.bucket))
    file = next(log_files(trail.bucket))
    other = {
        "account": replace(file, account="444455556666"),
        "region": replace(file, region=OTHER_REGION),
        "time": replace(file, delivered=DAY - MINUTE),
    }[change]
    with pytest.raises(ValueError, match="is not in the window"):
        check.add_file(other, "00" * 32)


@pytest.mark.promise("proven-by-aws")
def test_a_file_that_may_be_of_a_covered_time_is_not_called_unlisted_before_its_digest_is_due() -> None:
    """Its name's minute is before the end of the newest digest, but it can have been delivered after it."""
    trail, keys = intact_trail()
    for key in keys[12:]:
        trail.bucket.objects.pop(key)
    end = DAY + 11 * HOUR + MINUTE
    recent = trail.deliver(end - 5 * MINUTE, "recent")
    old = trail.deliver(end - 30 * MINUTE, "old")
    verdict = judge(trail.bucket, now=end + HOUR)
    assert recent in verdict.not_signed_yet
    assert found(verdict) == {("not_signed_yet", ""), ("unlisted_file", old)}


@pytest.mark.promise("proven-by-aws")
def test_the_worst_finding_decides_the_status() -> None:
    """Invalid before gap, gap before pending, pending before unsigned."""
    kinds = [FindingKind.VALIDATION_OFF, FindingKind.NOT_SIGNED_YET, FindingKind.UNCOVERED, FindingKind.MOVED]
    findings = [Finding(kind, "", "") for kind in kinds]
    statuses = [find_status(findings[:count]) for count in range(5)]
    assert statuses == ["signed", "unsigned", "pending", "gap", "invalid"]


@pytest.mark.promise("proven-by-aws")
def test_a_finding_is_one_line() -> None:
    """A key can have line ends and other controls."""
    misnamed = TrailRoot().parse_key("AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/20/a\nERROR b\x1b[0m")
    assert isinstance(misnamed, MisnamedKey)
    assert str(Finding(FindingKind.MISNAMED, misnamed.key, misnamed.reason)).isprintable()
    assert str(Finding(FindingKind.UNCOVERED, "", "why")) == "uncovered: why"
    assert not isinstance(misnamed, LogFileKey)
