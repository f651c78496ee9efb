"""The log files of a window: each kind of tampering, damage and refusal is named, and everything else is read."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from cloudtrail_elasticsearch.core.coverage.findings import FindingKind, ProofStatus
from cloudtrail_elasticsearch.core.errors import AccessDeniedError, TransientError
from cloudtrail_elasticsearch.pipeline.trail import verify_window
from cloudtrail_elasticsearch.sources.trail.window_files import MOST_DENIED, WindowFiles
from devstack.simulator.trails import Switches, tampering
from devstack.simulator.trails.stores import Bucket
from devstack.storage_faults import StorageFaultKind
from tests.sources.trail.local_trail import QUICK, LocalTrail, local_trail

Tamper = Callable[[Bucket, str], str]


def read_events(files: WindowFiles) -> list[bytes]:
    return [line for opened in files.open_all() if opened.content is not None for line in opened.content.lines()]


def named(files: WindowFiles) -> set[tuple[FindingKind, str]]:
    return {(finding.kind, finding.key) for finding in files.findings}


def test_an_intact_window_is_signed() -> None:
    with local_trail() as trail:
        for region in trail.regions():
            manifest = trail.list_window(region)
            written = trail.files(region)
            assert [(file.key, file.sha256) for file in manifest.files] == [
                (file.key, file.sha256) for file in written
            ]
            files = WindowFiles(manifest, trail.bucket)
            assert len(read_events(files)) == sum(len(file.event_ids) for file in written)
            assert (files.status, files.findings) == (ProofStatus.SIGNED, ())
            assert files.bytes_read == manifest.bytes


@pytest.mark.promise("nothing-lost")
@pytest.mark.parametrize(
    ("tamper", "kinds"),
    [
        (tampering.remove_event, {FindingKind.ALTERED_FILE}),
        (tampering.change_event, {FindingKind.ALTERED_FILE}),
        (tampering.append_event, {FindingKind.ALTERED_FILE}),
        (tampering.break_gzip, {FindingKind.ALTERED_FILE, FindingKind.DAMAGED_FILE}),
        (tampering.truncate, {FindingKind.ALTERED_FILE, FindingKind.DAMAGED_FILE}),
        (tampering.delete, {FindingKind.MISSING_FILE}),
        (tampering.copy_log_file, {FindingKind.UNLISTED_FILE}),
    ],
    ids=lambda value: getattr(value, "__name__", None),
)
def test_a_changed_log_file_is_named_and_the_others_are_read(tamper: Tamper, kinds: set[FindingKind]) -> None:
    """Whether it was changed before the listing or after it, and with and without reading events."""
    with local_trail() as trail:
        region = trail.region()
        written = trail.files(region)
        key = tamper(trail.objects, written[3].key)
        manifest = trail.list_window(region)
        files = WindowFiles(manifest, trail.bucket)
        events = read_events(files)
        assert named(files) == {(kind, key) for kind in kinds}
        assert files.status is ProofStatus.INVALID
        others = sum(len(file.event_ids) for file in written) - len(written[3].event_ids)
        assert others <= len(events) <= others + 2 * len(written[3].event_ids)
        assert named(verify_window(manifest, trail.bucket)) >= {
            (kind, key) for kind in kinds if kind is not FindingKind.DAMAGED_FILE
        }


def test_a_log_file_that_vanishes_after_the_listing_is_named() -> None:
    with local_trail() as trail:
        manifest = trail.list_window()
        key = tampering.delete(trail.objects, manifest.files[0].key)
        files = verify_window(manifest, trail.bucket)
        assert named(files) == {(FindingKind.MISSING_FILE, key)}
        assert files.status is ProofStatus.INVALID


def test_a_log_file_that_is_replaced_after_the_listing_is_named() -> None:
    """Without a digest its ETag shows it; with one its hash decides."""
    with local_trail() as trail:
        region = trail.region()
        proven, listed = trail.list_window(region), trail.list_window(region, is_proving=False)
        key = tampering.change_event(trail.objects, listed.files[2].key)
        assert named(verify_window(listed, trail.bucket)) == {(FindingKind.CHANGED_FILE, key)}
        assert named(verify_window(proven, trail.bucket)) == {(FindingKind.ALTERED_FILE, key)}


def test_a_window_that_is_not_proven_has_no_status() -> None:
    with local_trail() as trail:
        files = verify_window(trail.list_window(is_proving=False), trail.bucket)
        assert (files.status, files.findings) == (None, ())


def test_log_files_that_no_digest_lists_are_named() -> None:
    with local_trail(Switches(slow=0.0, unlisted=0.1)) as trail:
        region = trail.region()
        unlisted = {file.key for file in trail.files(region) if not file.is_listed}
        assert unlisted
        files = verify_window(trail.list_window(region), trail.bucket)
        assert named(files) == {(FindingKind.UNLISTED_FILE, key) for key in unlisted}


def test_a_denied_log_file_is_named_with_the_remedy_and_the_others_are_read() -> None:
    with local_trail() as trail:
        region = trail.region()
        manifest = trail.list_window(region)
        denied = manifest.files[1].key
        trail.s3.faults.add(StorageFaultKind.DECRYPTION_DENIED, prefix=denied)
        files = WindowFiles(manifest, trail.bucket)
        events = read_events(files)
        (finding,) = files.findings
        assert (finding.kind, finding.key) == (FindingKind.DENIED_FILE, denied)
        assert "kms:Decrypt" in finding.reason
        assert files.status is ProofStatus.GAP
        assert len(events) == sum(len(file.event_ids) for file in trail.files(region) if file.key != denied)


def test_a_bucket_of_which_nothing_may_be_read_fails_as_a_whole() -> None:
    with local_trail() as trail:
        manifest = trail.list_window()
        trail.s3.faults.add(StorageFaultKind.DECRYPTION_DENIED)
        with pytest.raises(AccessDeniedError, match=rf"None of the first {MOST_DENIED} log files .*kms:Decrypt"):
            verify_window(manifest, trail.bucket)


@pytest.mark.promise("nothing-lost")
@pytest.mark.parametrize("kind", [StorageFaultKind.RESET, StorageFaultKind.TRUNCATED_BODY])
def test_passing_faults_of_s3_lose_nothing(kind: StorageFaultKind) -> None:
    with local_trail() as trail:
        region = trail.region()
        manifest = trail.list_window(region)
        trail.s3.faults.add(kind, count=QUICK.tries - 1)
        files = WindowFiles(manifest, trail.bucket)
        assert len(read_events(files)) == sum(len(file.event_ids) for file in trail.files(region))
        assert files.status is ProofStatus.SIGNED


def test_a_lasting_fault_names_the_object() -> None:
    with local_trail() as trail:
        manifest = trail.list_window()
        key = manifest.files[4].key
        trail.s3.faults.add(StorageFaultKind.TRUNCATED_BODY, prefix=key)
        with pytest.raises(TransientError, match=key):
            verify_window(manifest, trail.bucket)


def test_a_tampered_digest_makes_the_window_invalid() -> None:
    with local_trail() as trail:
        region = trail.region()
        digest = find_digest(trail)
        tampering.drop_signature(trail.objects, digest)
        manifest = trail.list_window(region)
        assert manifest.proof == ProofStatus.INVALID
        assert (FindingKind.BAD_SIGNATURE, digest) in {(each.kind, each.key) for each in manifest.findings}


def find_digest(trail: LocalTrail) -> str:
    """Return the digest of the middle of the first window."""
    region = trail.region()
    folder = region.root.day_folder(region.account, "CloudTrail-Digest", region.region, trail.files()[0].day)
    return sorted(trail.bucket.list_keys(folder))[12]
