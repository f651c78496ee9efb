"""The chain of digests over a window: what is signed, a gap, invalid or not signed yet."""

from __future__ import annotations

import gzip
import itertools
from dataclasses import replace
from datetime import timedelta

import pytest

from cloudtrail_elasticsearch.core.coverage.findings import ProofStatus
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.sources.trail import window_digests
from cloudtrail_elasticsearch.sources.trail.digests import MOST_BYTES, StoredObject
from cloudtrail_elasticsearch.sources.trail.layout import TrailName, TrailRoot

from .memory_trail import (
    ACCOUNT,
    DAY,
    HOUR,
    LATER,
    MINUTE,
    OTHER_ACCOUNT,
    OTHER_REGION,
    REGION,
    WINDOW,
    MemoryBucket,
    MemoryKeys,
    TrailWriter,
    fingerprint_of,
    found,
    intact_trail,
    judge,
    log_files,
    prove,
    public_der,
    signing_key,
)

SECOND = timedelta(seconds=1)
NEXT_DAY = Window(ACCOUNT, REGION, WINDOW.end, WINDOW.end + 24 * HOUR)


@pytest.mark.promise("proven-by-aws")
def test_an_intact_trail_is_signed() -> None:
    """Every log file of the window is listed, and no digest outside of it is needed."""
    trail, keys = intact_trail()
    proof = prove(trail.bucket)
    assert proof.status is ProofStatus.SIGNED
    assert set(proof.files) == {file.key for file in log_files(trail.bucket)}
    assert {listed.digest for listed in proof.files.values()} <= set(keys)
    assert proof.trails == (trail.trail,)
    assert judge(trail.bucket).status is ProofStatus.SIGNED


@pytest.mark.promise("proven-by-aws")
@pytest.mark.parametrize("minutes", [0, 1, 15, 16, 30, 59])
def test_digests_may_end_at_any_minute(minutes: int) -> None:
    """Each trail has its own minute; the window begins and ends inside of a digest."""
    trail, _ = intact_trail(reached=DAY - HOUR + minutes * MINUTE)
    verdict = judge(trail.bucket)
    assert (verdict.status, verdict.findings) == (ProofStatus.SIGNED, ())


@pytest.mark.promise("proven-by-aws")
def test_a_quiet_window_is_signed() -> None:
    """Every hour has a digest, also without a delivery."""
    trail = TrailWriter(MemoryBucket())
    trail.write_until(WINDOW.end + HOUR, every=1_000 * HOUR)
    assert prove(trail.bucket).files == {}
    assert judge(trail.bucket).status is ProofStatus.SIGNED


@pytest.mark.promise("proven-by-aws")
@pytest.mark.parametrize(
    "root", [TrailRoot(), TrailRoot("", "o-exampleorgid"), TrailRoot("a/b", "o-exampleorgid")]
)
@pytest.mark.parametrize("region", [REGION, "cn-north-1", OTHER_REGION])
def test_every_layout_and_partition_is_signed(root: TrailRoot, region: str) -> None:
    """With and without a prefix and an organization; the trail's home region can be another one."""
    trail, _ = intact_trail(root=root, region=region)
    window = replace(WINDOW, region=region)
    assert judge(trail.bucket, window, root=root).status is ProofStatus.SIGNED


@pytest.mark.promise("proven-by-aws")
def test_every_kind_of_log_file_is_in_the_list() -> None:
    """Insights and further kinds have folders of their own, and are in the same digests."""
    trail = TrailWriter(MemoryBucket())
    trail.close_digest()
    keys = [trail.deliver(DAY + HOUR, kind=kind) for kind in ("CloudTrail", "CloudTrail-Insight", "CloudTrail-X")]
    trail.write_until(WINDOW.end + HOUR)
    assert set(keys) <= set(prove(trail.bucket).files)
    assert judge(trail.bucket).proven == len(prove(trail.bucket).files)


@pytest.mark.promise("proven-by-aws")
def test_a_file_named_before_midnight_and_delivered_after_it_is_listed() -> None:
    """The name's minute can be earlier than the delivery, so the digest after midnight is needed, too."""
    trail = TrailWriter(MemoryBucket(), reached=DAY)
    trail.write_until(WINDOW.end)
    late = trail.deliver(WINDOW.end - MINUTE)
    digest = trail.close_digest()
    assert prove(trail.bucket).files[late].digest == digest
    del trail.bucket.objects[late]
    assert found(judge(trail.bucket)) == {("missing_file", late)}


@pytest.mark.promise("proven-by-aws")
@pytest.mark.parametrize("hour", range(1, 26))
def test_a_removed_digest_is_named(hour: int) -> None:
    """The first and the last one of the window included; its files are read and not called unlisted."""
    trail, keys = intact_trail()
    del trail.bucket.objects[keys[hour - 1]]
    verdict = judge(trail.bucket)
    assert found(verdict) == {("missing_digest", keys[hour - 1])}
    assert verdict.status is ProofStatus.INVALID


@pytest.mark.promise("proven-by-aws")
def test_removed_digests_in_a_row_are_named_by_the_link_to_the_last_one() -> None:
    """The whole time is a hole."""
    trail, keys = intact_trail()
    for key in keys[5:8]:
        del trail.bucket.objects[key]
    proof = prove(trail.bucket)
    assert found(proof) == {("missing_digest", keys[7])}
    assert [hole.span.end - hole.span.start for hole in proof.holes] == [3 * HOUR]


@pytest.mark.promise("proven-by-aws")
@pytest.mark.parametrize("removed", ["the window", "everything before", "everything"])
def test_removing_all_digests_of_a_window_is_never_signed(removed: str) -> None:
    """The next digest links to them; only without any digest at all is the window unsigned."""
    trail, keys = intact_trail()
    keys += trail.write_until(NEXT_DAY.end + 2 * HOUR)
    last = {"the window": keys[25], "everything before": keys[40], "everything": keys[-1]}[removed]
    first = keys[1] if removed == "the window" else keys[0]
    for key in keys[keys.index(first) : keys.index(last) + 1]:
        del trail.bucket.objects[key]
    expected = {"everything": ProofStatus.UNSIGNED}.get(removed, ProofStatus.INVALID)
    assert prove(trail.bucket).status is expected
    assert judge(trail.bucket, expected=[trail.trail]).status in (ProofStatus.GAP, ProofStatus.INVALID)


@pytest.mark.promise("proven-by-aws")
def test_a_removed_end_of_the_chain_is_a_gap_when_it_is_due() -> None:
    """No later digest links to it; until it is due it is not signed yet. Neither is signed."""
    trail, keys = intact_trail()
    for key in keys[20:]:
        del trail.bucket.objects[key]
    end = DAY + 19 * HOUR + 91 * SECOND
    assert prove(trail.bucket, now=end + 2 * HOUR - SECOND).status is ProofStatus.PENDING
    assert prove(trail.bucket, now=end + 2 * HOUR).status is ProofStatus.GAP
    assert prove(trail.bucket).status is ProofStatus.GAP


@pytest.mark.promise("proven-by-aws")
@pytest.mark.parametrize("change", ["content", "signature", "trailing data", "no gzip", "no metadata"])
def test_an_altered_digest_is_named(change: str) -> None:
    """It alone: the link to it is not named as well, and its files are not called unlisted."""
    trail, keys = intact_trail()
    key = keys[9]
    stored = trail.bucket.objects[key]
    text = gzip.decompress(stored.body)
    trail.bucket.objects[key] = {
        "content": StoredObject(gzip.compress(text.replace(b"f0", b"f1", 1) + b" "), stored.metadata),
        "signature": StoredObject(stored.body, {**stored.metadata, "signature": "00" * 256}),
        "trailing data": StoredObject(stored.body + b"x", stored.metadata),
        "no gzip": StoredObject(text, stored.metadata),
        "no metadata": StoredObject(stored.body, {}),
    }[change]
    verdict = judge(trail.bucket)
    assert verdict.status is ProofStatus.INVALID
    assert [each.key for each in verdict.findings] == [key]


@pytest.mark.promise("proven-by-aws")
def test_a_digest_copied_from_another_account_region_or_hour_is_named() -> None:
    """Under its own name it is misnamed; under the name of this folder it was moved."""
    trail, keys = intact_trail()
    for account, region in ((OTHER_ACCOUNT, REGION), (ACCOUNT, OTHER_REGION)):
        other = TrailWriter(MemoryBucket(), account=account, region=region)
        copied = other.close_digest(DAY + 5 * HOUR)
        stored = other.bucket.objects[copied]
        folder = keys[3].rpartition("/")[0]
        own_name = f"{folder}/{copied.rpartition('/')[2]}"
        for name, kind in ((own_name, "misnamed"), (keys[9], "moved")):
            bucket = trail.bucket.copy()
            bucket.objects[name] = stored
            assert found(judge(bucket)) == {(kind, name)}
    bucket = trail.bucket.copy()
    bucket.objects[keys[9]] = bucket.objects[keys[8]]
    assert found(judge(bucket)) == {("moved", keys[9])}


@pytest.mark.promise("proven-by-aws")
def test_a_digest_of_a_key_that_is_not_awss_is_named() -> None:
    """Anybody can sign a list with a key of their own."""
    trail, keys = intact_trail()
    forger = replace(trail, key=signing_key("forger"), reached=DAY + 8 * HOUR + 91 * SECOND, waiting=[])
    forger.deliver(DAY + 9 * HOUR, "forged")
    assert forger.close_digest() == keys[9]
    assert found(judge(trail.bucket)) == {("unknown_key", keys[9])}


@pytest.mark.promise("proven-by-aws")
def test_keys_may_change_between_digests() -> None:
    """AWS rotates its keys."""
    trail, _ = intact_trail()
    trail.key = signing_key("b")
    trail.write_until(NEXT_DAY.end + 2 * HOUR)
    both = MemoryKeys({fingerprint_of(key): public_der(key) for key in (signing_key(), signing_key("b"))})
    assert judge(trail.bucket, NEXT_DAY, keys=both, now=LATER + 24 * HOUR).status is ProofStatus.SIGNED


@pytest.mark.promise("proven-by-aws")
@pytest.mark.parametrize(
    ("field", "value"),
    [("previousDigestHashValue", "00" * 32), ("previousDigestSignature", "00" * 256)],
)
def test_a_link_to_another_content_is_named(field: str, value: str) -> None:
    """Both digests have valid signatures, but they are not of one chain."""
    trail = TrailWriter(MemoryBucket())
    trail.write_until(DAY + 5 * HOUR)
    key = trail.close_digest(None, **{field: value})
    trail.write_until(WINDOW.end + HOUR)
    assert found(judge(trail.bucket)) == {("broken_link", key)}


@pytest.mark.promise("proven-by-aws")
@pytest.mark.parametrize("target", ["later", "other trail", "other account", "misnamed"])
def test_a_link_to_no_earlier_digest_of_the_trail_is_named(target: str) -> None:
    """AWS would never write such a link."""
    trail = TrailWriter(MemoryBucket())
    trail.write_until(DAY + 5 * HOUR)
    other = replace(trail, trail=TrailName("other", REGION))
    foreign = replace(trail, account=OTHER_ACCOUNT)
    link = {
        "later": trail.digest_key(DAY + 9 * HOUR),
        "other trail": other.digest_key(DAY + 4 * HOUR),
        "other account": foreign.digest_key(DAY + 4 * HOUR),
        "misnamed": trail.digest_key(DAY + 4 * HOUR).replace("_audit", "-audit"),
    }[target]
    key = trail.close_digest(previousDigestS3Object=link)
    trail.write_until(WINDOW.end + HOUR)
    assert found(judge(trail.bucket)) == {("broken_link", key)}


@pytest.mark.promise("proven-by-aws")
def test_a_chain_that_begins_anew_without_a_hole_is_signed() -> None:
    """The new chain's first digest starts when the last one ended, so every moment is covered."""
    trail = TrailWriter(MemoryBucket())
    trail.write_until(DAY + 12 * HOUR)
    trail.restart(trail.reached)
    trail.write_until(WINDOW.end + HOUR)
    assert judge(trail.bucket).status is ProofStatus.SIGNED


@pytest.mark.promise("proven-by-aws")
@pytest.mark.parametrize("stopped", [SECOND, 3 * HOUR])
def test_a_chain_that_begins_anew_after_a_stop_leaves_a_gap(stopped: timedelta) -> None:
    """AWS's tool only reports it; a file of that time is unproven, and a file that was removed leaves no trace."""
    trail = TrailWriter(MemoryBucket())
    trail.write_until(DAY + 12 * HOUR)
    trail.deliver(trail.reached.replace(second=0) - 20 * MINUTE, "unlisted")
    trail.waiting.clear()
    start = trail.reached
    unproven = trail.deliver(start.replace(second=0), "unproven")
    trail.waiting.clear()
    trail.restart(start + stopped)
    key = trail.write_until(WINDOW.end + HOUR)[0]
    verdict = judge(trail.bucket)
    assert verdict.status is ProofStatus.INVALID  # for the file of a time that digests do cover
    assert {str(each.kind) for each in verdict.findings} == {"uncovered", "unlisted_file"}
    assert verdict.unproven == (unproven,)
    gap = next(each for each in verdict.findings if each.kind == "uncovered")
    assert key in gap.reason
    assert prove(trail.bucket).status is ProofStatus.GAP


@pytest.mark.promise("proven-by-aws")
def test_the_first_day_of_a_trail_is_unsigned_and_the_next_one_signed() -> None:
    """As the days before: nothing proves its morning, because digests that were removed would look the same."""
    trail = TrailWriter(MemoryBucket(), reached=DAY + 12 * HOUR)
    early = trail.deliver(DAY + 3 * HOUR)
    trail.waiting.clear()
    trail.write_until(NEXT_DAY.end + HOUR)
    verdict = judge(trail.bucket)
    assert (verdict.status, found(verdict)) == (ProofStatus.UNSIGNED, {("validation_off", "")})
    assert [hole.span.end for hole in prove(trail.bucket).holes] == [DAY + 12 * HOUR]
    assert early not in verdict.unproven
    assert judge(trail.bucket, NEXT_DAY, now=LATER + 24 * HOUR).status is ProofStatus.SIGNED


@pytest.mark.promise("proven-by-aws")
def test_the_first_day_of_a_trail_is_proven_from_its_first_digest_on() -> None:
    """A log file of that time that is removed, altered or added is named as on any other day."""
    trail = TrailWriter(MemoryBucket(), reached=DAY + 12 * HOUR)
    trail.write_until(WINDOW.end + HOUR)
    files = list(log_files(trail.bucket))
    trail.bucket.put(files[3].key, b"altered")
    del trail.bucket.objects[files[7].key]
    unlisted = trail.deliver(DAY + 15 * HOUR, "added")
    verdict = judge(trail.bucket)
    assert verdict.status is ProofStatus.INVALID
    assert {each.key for each in verdict.findings} == {"", files[3].key, files[7].key, unlisted}


@pytest.mark.promise("proven-by-aws")
@pytest.mark.parametrize("earlier", ["digest", "backfill", "invalid", "other trail", "overlapping", "expected"])
def test_a_day_that_a_chain_begins_in_is_a_gap_if_anything_shows_an_earlier_digest(earlier: str) -> None:
    """However long ago, and whichever trail's: then validation was on before."""
    trail = TrailWriter(MemoryBucket(), reached=DAY - 700 * HOUR)
    expected = []
    if earlier == "digest":
        trail.close_digest()
    elif earlier == "backfill":
        trail.close_backfill(DAY - 700 * HOUR, DAY - 699 * HOUR, DAY)
    elif earlier == "invalid":
        trail.bucket.put(trail.digest_key(DAY - 20 * HOUR), b"altered")
    elif earlier == "other trail":
        TrailWriter(trail.bucket, TrailName("other", REGION), reached=DAY + 11 * HOUR).write_until(
            WINDOW.end + HOUR
        )
    elif earlier == "overlapping":
        other = TrailWriter(trail.bucket, TrailName("other", REGION), reached=DAY + 11 * HOUR)
        other.close_digest(DAY + 13 * HOUR)
        other.write_until(WINDOW.end + HOUR)
    else:
        expected = [trail.trail]
    trail.restart(DAY + 12 * HOUR)
    trail.write_until(WINDOW.end + HOUR)
    assert prove(trail.bucket, expected=expected).status is ProofStatus.GAP


@pytest.mark.promise("proven-by-aws")
def test_a_first_digest_that_does_not_begin_a_chain_is_no_first_digest() -> None:
    """It links to a digest that is gone."""
    trail, keys = intact_trail()
    for key in keys[:12]:
        del trail.bucket.objects[key]
    assert found(prove(trail.bucket)) == {("missing_digest", keys[11])}


@pytest.mark.promise("proven-by-aws")
def test_a_part_of_the_first_day_has_the_status_of_the_day() -> None:
    """Before the first digest, and with it; the part after it is signed."""
    trail = TrailWriter(MemoryBucket(), reached=DAY + 10 * HOUR + 30 * MINUTE)
    trail.write_until(WINDOW.end + HOUR)
    edges = [DAY, DAY + 5 * HOUR, DAY + 10 * HOUR, DAY + 11 * HOUR, WINDOW.end]
    parts = [replace(WINDOW, start=start, end=end) for start, end in itertools.pairwise(edges)]
    assert [judge(trail.bucket, part).status for part in parts] == [
        *[ProofStatus.UNSIGNED] * 3,
        ProofStatus.SIGNED,
    ]


@pytest.mark.promise("proven-by-aws")
def test_a_trail_that_begins_with_the_window_is_signed() -> None:
    """The first day of a trail that was created at midnight."""
    trail, _ = intact_trail(reached=DAY)
    assert judge(trail.bucket).status is ProofStatus.SIGNED


@pytest.mark.promise("proven-by-aws")
def test_a_trail_that_was_stopped_in_the_window_leaves_a_gap_after() -> None:
    """Its last digests can have been removed as well."""
    trail = TrailWriter(MemoryBucket())
    trail.write_until(DAY + 12 * HOUR)
    assert prove(trail.bucket).status is ProofStatus.GAP


@pytest.mark.promise("proven-by-aws")
def test_a_digest_that_covers_another_length_counts_for_its_own_time() -> None:
    """The last digest before a stop is shorter; one after a fault of AWS can be longer."""
    trail = TrailWriter(MemoryBucket())
    trail.close_digest(DAY + 10 * MINUTE)
    trail.close_digest(DAY + 9 * HOUR)
    trail.close_digest(DAY + 9 * HOUR + SECOND)
    trail.close_digest(DAY + 23 * HOUR)
    trail.close_digest(DAY + 30 * HOUR)
    assert judge(trail.bucket).status is ProofStatus.SIGNED


@pytest.mark.promise("proven-by-aws")
def test_a_window_without_any_digest_is_unsigned() -> None:
    """Log file validation was off: nothing is proven and nothing is wrong."""
    trail, keys = intact_trail()
    for key in keys:
        del trail.bucket.objects[key]
    verdict = judge(trail.bucket)
    assert (verdict.status, verdict.unproven, verdict.proven) == (ProofStatus.UNSIGNED, (), 0)
    assert [str(each.kind) for each in verdict.findings] == ["validation_off"]


@pytest.mark.promise("proven-by-aws")
def test_a_window_before_validation_was_turned_on_is_unsigned() -> None:
    """The first digest of all begins a chain; if it does not, digests before it are absent."""
    trail = TrailWriter(MemoryBucket(), reached=WINDOW.end + 5 * HOUR)
    keys = trail.write_until(WINDOW.end + 9 * HOUR)
    assert prove(trail.bucket).status is ProofStatus.UNSIGNED
    del trail.bucket.objects[keys[0]]
    assert prove(trail.bucket).status is not ProofStatus.UNSIGNED


@pytest.mark.promise("proven-by-aws")
def test_a_window_days_before_the_first_digest_is_unsigned_only_if_that_begins_a_chain() -> None:
    """However long ago; each trail's first hourly digest counts, and backfill digests do not."""
    trail = TrailWriter(MemoryBucket(), reached=DAY + 90 * HOUR)
    keys = trail.write_until(DAY + 95 * HOUR)
    trail.close_backfill(DAY + 80 * HOUR, DAY + 81 * HOUR, DAY + 99 * HOUR)
    assert prove(trail.bucket).status is ProofStatus.UNSIGNED
    second = TrailWriter(trail.bucket, TrailName("second", REGION), reached=DAY + 99 * HOUR)
    second.previous = trail.previous
    key = second.close_digest()
    assert found(prove(trail.bucket)) == {("uncovered", key)}
    del trail.bucket.objects[key], trail.bucket.objects[keys[0]]
    assert found(prove(trail.bucket)) == {("uncovered", keys[1])}


@pytest.mark.promise("proven-by-aws")
def test_a_window_after_the_last_digest_is_a_gap() -> None:
    """Earlier digests show that validation was on; until the first one is due it is not signed yet."""
    trail = TrailWriter(MemoryBucket(), reached=DAY - 60 * HOUR)
    trail.write_until(DAY - 50 * HOUR)
    assert prove(trail.bucket).status is ProofStatus.GAP
    assert prove(trail.bucket, now=DAY + HOUR).status is ProofStatus.PENDING


@pytest.mark.promise("proven-by-aws")
def test_an_expected_trail_without_digests_is_a_gap() -> None:
    """If validation is known to be on, the absence of digests is no reason to call the window unsigned."""
    trail, keys = intact_trail()
    other = TrailName("known", REGION)
    assert judge(trail.bucket, expected=[trail.trail]).status is ProofStatus.SIGNED
    assert judge(trail.bucket, expected=[trail.trail, other]).status is ProofStatus.GAP
    for key in keys:
        del trail.bucket.objects[key]
    assert judge(trail.bucket, expected=[trail.trail]).status is ProofStatus.GAP
    assert judge(trail.bucket, expected=[trail.trail], now=DAY + HOUR).status is ProofStatus.PENDING


@pytest.mark.promise("proven-by-aws")
def test_two_trails_with_one_prefix_both_cover_the_window() -> None:
    """A log file is proven if any digest lists it."""
    trail, _ = intact_trail()
    second = TrailWriter(trail.bucket, TrailName("second", REGION), reached=DAY - 20 * MINUTE)
    second.write_until(WINDOW.end + 2 * HOUR, every=25 * MINUTE)
    verdict = judge(trail.bucket)
    assert (verdict.status, verdict.findings) == (ProofStatus.SIGNED, ())


@pytest.mark.promise("proven-by-aws")
def test_a_hole_in_one_of_two_trails_is_a_gap() -> None:
    """The other trail's digests do not list the files that the first one delivered."""
    trail, _ = intact_trail()
    second = TrailWriter(trail.bucket, TrailName("second", REGION), reached=DAY + 20 * MINUTE)
    second.write_until(WINDOW.end + 2 * HOUR)
    verdict = judge(trail.bucket)
    assert verdict.status is ProofStatus.GAP
    assert "second" in verdict.findings[0].reason


@pytest.mark.promise("proven-by-aws")
def test_a_second_trail_that_begins_after_the_window_needs_to_cover_nothing() -> None:
    """Its first digest ends so early on the next day that it is read."""
    trail, _ = intact_trail()
    second = TrailWriter(trail.bucket, TrailName("second", REGION), reached=WINDOW.end)
    second.close_digest(WINDOW.end + 10 * MINUTE)
    assert judge(trail.bucket).status is ProofStatus.SIGNED


@pytest.mark.promise("proven-by-aws")
def test_digests_of_one_hour_may_be_two() -> None:
    """Each is signed and lists its own files."""
    trail = TrailWriter(MemoryBucket())
    trail.write_until(DAY + 5 * HOUR)
    twin = replace(trail, waiting=[])
    twin.deliver(trail.reached.replace(second=0) + 5 * MINUTE, "twin")
    twin.close_digest(trail.reached + HOUR - SECOND)
    trail.write_until(WINDOW.end + HOUR)
    assert judge(trail.bucket).status is ProofStatus.SIGNED


@pytest.mark.promise("proven-by-aws")
def test_a_late_file_of_a_backfill_digest_is_proven() -> None:
    """CloudTrail signs files that the hourly digest omitted in a digest of its own, days later."""
    trail, _ = intact_trail()
    late = trail.deliver(DAY + 7 * HOUR, "late")
    assert ("unlisted_file", late) in found(judge(trail.bucket))
    backfill = trail.close_backfill(DAY + 7 * HOUR, DAY + 8 * HOUR, DAY + 40 * HOUR)
    assert judge(trail.bucket).status is ProofStatus.SIGNED
    assert prove(trail.bucket).files[late].digest == backfill
    del trail.bucket.objects[late]
    assert found(judge(trail.bucket)) == {("missing_file", late)}


@pytest.mark.promise("proven-by-aws")
def test_a_removed_or_altered_backfill_digest_is_not_signed() -> None:
    """Its file is listed nowhere else; another backfill digest that links to it names it."""
    trail, _ = intact_trail()
    late = trail.deliver(DAY + 7 * HOUR, "late")
    backfill = trail.close_backfill(DAY + 7 * HOUR, DAY + 8 * HOUR, DAY + 40 * HOUR)
    stored = trail.bucket.objects.pop(backfill)
    assert found(judge(trail.bucket)) == {("unlisted_file", late)}
    trail.bucket.put(backfill, stored.body, {**stored.metadata, "signature": "00"})
    assert found(judge(trail.bucket)) == {("bad_signature", backfill), ("unlisted_file", late)}


@pytest.mark.promise("proven-by-aws")
def test_a_backfill_digest_covers_no_time() -> None:
    """It does not state that there are no other files, so it does not replace the hourly digest."""
    trail, keys = intact_trail()
    del trail.bucket.objects[keys[9]]
    trail.waiting.clear()
    trail.close_backfill(DAY + 8 * HOUR, DAY + 10 * HOUR, DAY + 40 * HOUR)
    assert found(prove(trail.bucket)) == {("missing_digest", keys[9])}
    assert prove(trail.bucket).holes


@pytest.mark.promise("proven-by-aws")
def test_a_late_file_of_an_hourly_digest_is_found_with_reach() -> None:
    """A file of the window that a digest of another day lists is read by asking for more digests."""
    trail, _ = intact_trail()
    trail.write_until(DAY + 40 * HOUR)
    late = trail.deliver(DAY + 7 * HOUR, "late")
    trail.close_digest()
    trail.write_until(NEXT_DAY.end)
    assert found(judge(trail.bucket)) == {("unlisted_file", late)}
    assert judge(trail.bucket, reach=24 * HOUR).status is ProofStatus.SIGNED


@pytest.mark.promise("proven-by-aws")
def test_an_altered_digest_within_reach_is_another_windows_finding() -> None:
    """Reach only adds lists."""
    trail, _ = intact_trail()
    keys = trail.write_until(NEXT_DAY.end)
    trail.bucket.put(keys[-3], b"altered")
    assert judge(trail.bucket, reach=24 * HOUR).status is ProofStatus.SIGNED
    assert prove(trail.bucket, NEXT_DAY).status is ProofStatus.INVALID


@pytest.mark.promise("proven-by-aws")
def test_a_file_that_is_listed_with_two_hashes_is_named() -> None:
    """At most one of them can be right."""
    trail, _ = intact_trail()
    file = trail.deliver(DAY + 7 * HOUR, "twice")
    trail.waiting.append({**trail.waiting[0], "hashValue": "00" * 32})
    trail.close_backfill(DAY + 7 * HOUR, DAY + 8 * HOUR, DAY + 40 * HOUR)
    verdict = judge(trail.bucket)
    assert verdict.status is ProofStatus.INVALID
    assert ("conflicting_hashes", file) in found(verdict)


@pytest.mark.promise("proven-by-aws")
def test_a_file_that_is_listed_twice_with_one_hash_is_proven() -> None:
    """A backfill digest can repeat what an hourly digest lists."""
    trail, _ = intact_trail()
    trail.deliver(DAY + 7 * HOUR, "twice")
    trail.waiting *= 2
    trail.close_backfill(DAY + 7 * HOUR, DAY + 8 * HOUR, DAY + 40 * HOUR)
    assert judge(trail.bucket).status is ProofStatus.SIGNED


@pytest.mark.promise("proven-by-aws")
@pytest.mark.parametrize(
    "change", [{"hashAlgorithm": "MD5"}, {"hashValue": "F" * 64}, {"hashValue": ""}, {"hashValue": "0" * 63}]
)
def test_a_file_without_a_sha256_is_named(change: dict[str, str]) -> None:
    """Another hash cannot be compared."""
    trail, _ = intact_trail()
    file = trail.deliver(DAY + 7 * HOUR, "file")
    trail.waiting[0] |= change
    trail.close_backfill(DAY + 7 * HOUR, DAY + 8 * HOUR, DAY + 40 * HOUR)
    assert ("unknown_algorithm", file) in found(prove(trail.bucket))


@pytest.mark.promise("proven-by-aws")
@pytest.mark.parametrize("place", ["bucket", "prefix", "account", "region"])
def test_a_digest_that_lists_files_elsewhere_leaves_a_gap(place: str) -> None:
    """The trail was moved in that hour: these files are proven with the place that it had then."""
    trail = TrailWriter(MemoryBucket())
    trail.write_until(DAY + 5 * HOUR)
    moved = {
        "bucket": replace(trail, bucket=MemoryBucket(bucket="another")),
        "prefix": replace(trail, root=TrailRoot("another")),
        "account": replace(trail, account=OTHER_ACCOUNT),
        "region": replace(trail, region=OTHER_REGION),
    }[place]
    moved.waiting = trail.waiting
    moved.deliver(DAY + 5 * HOUR + 10 * MINUTE)
    key = trail.close_digest()
    trail.write_until(WINDOW.end + HOUR)
    verdict = judge(trail.bucket)
    assert (verdict.status, found(verdict)) == (ProofStatus.GAP, {("unread_place", key)})


@pytest.mark.promise("proven-by-aws")
@pytest.mark.parametrize(
    "link", [{"previousDigestS3Bucket": "another"}, {"previousDigestS3Object": "other/AWSLogs/x"}]
)
def test_a_chain_that_comes_from_another_place_leaves_a_gap_before(link: dict[str, str]) -> None:
    """The digests of the first half of the window are in the trail's earlier bucket or prefix."""
    trail = TrailWriter(MemoryBucket(), reached=DAY + 12 * HOUR)
    trail.previous = {**trail.make_digest("x", DAY, DAY + HOUR, None, {})[3], **link}
    key = trail.write_until(WINDOW.end + HOUR)[0]
    proof = prove(trail.bucket)
    assert proof.status is ProofStatus.GAP
    assert key in proof.findings[0].reason


@pytest.mark.promise("proven-by-aws")
def test_a_misnamed_object_among_the_digests_is_named() -> None:
    """Once, by the window of its day."""
    trail, keys = intact_trail()
    name = f"{keys[3].rpartition('/')[0]}/notes.txt"
    trail.bucket.put(name, b"")
    assert found(judge(trail.bucket)) == {("misnamed", name)}
    trail.write_until(NEXT_DAY.end + 2 * HOUR)
    assert judge(trail.bucket, NEXT_DAY, now=LATER + 24 * HOUR).status is ProofStatus.SIGNED


@pytest.mark.promise("proven-by-aws")
def test_a_digest_that_is_removed_after_the_listing_is_named() -> None:
    """And one that is written after it is found by its link."""
    trail, keys = intact_trail()

    class Changing(MemoryBucket):
        hidden = keys[9]

        def list_keys(self, prefix: str) -> list[str]:
            return [key for key in super().list_keys(prefix) if key != self.hidden]

    class Removing(MemoryBucket):
        def read(self, key: str, most: int) -> StoredObject | None:
            return None if key == keys[9] else super().read(key, most)

    assert judge(Changing(trail.bucket.objects)).status is ProofStatus.SIGNED
    assert found(judge(Removing(trail.bucket.objects))) == {("missing_digest", keys[9])}


@pytest.mark.promise("bounded")
def test_a_large_digest_is_read_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of each digest only a part is read ahead; the proof is the same."""
    trail, keys = intact_trail()
    monkeypatch.setattr(window_digests, "_SMALL", len(trail.bucket.objects[keys[3]].body) - 1)
    asked = []

    class Recording(MemoryBucket):
        def read(self, key: str, most: int) -> StoredObject | None:
            asked.append(most)
            return super().read(key, most)

    assert judge(Recording(trail.bucket.objects)).status is ProofStatus.SIGNED
    assert set(asked) == {len(trail.bucket.objects[keys[3]].body), MOST_BYTES + 1}


@pytest.mark.promise("proven-by-aws")
def test_a_failure_of_the_store_is_raised() -> None:
    """A digest that cannot be read is not a missing one."""
    trail, _ = intact_trail()

    class Failing(MemoryBucket):
        def read(self, key: str, most: int) -> StoredObject | None:
            raise PermissionError(key)

    with pytest.raises(PermissionError):
        prove(Failing(trail.bucket.objects))


@pytest.mark.promise("proven-by-aws")
def test_a_part_of_a_day_is_proven_by_its_own_digests() -> None:
    """A busy day can be divided by the time of delivery."""
    trail, keys = intact_trail()
    trail.bucket.put(keys[20], b"altered")
    middle = DAY + 12 * HOUR
    halves = [replace(WINDOW, end=middle), replace(WINDOW, start=middle)]
    assert [judge(trail.bucket, half).status for half in halves] == [ProofStatus.SIGNED, ProofStatus.INVALID]
    files = [set(prove(trail.bucket, half).files) for half in halves]
    assert files[0].isdisjoint(files[1])


@pytest.mark.promise("proven-by-aws")
def test_the_newest_files_of_a_day_that_is_not_over_are_not_signed_yet() -> None:
    """The digests so far prove their files; the newest files wait for the next digest."""
    trail = TrailWriter(MemoryBucket())
    trail.write_until(DAY + 12 * HOUR)
    waiting = trail.deliver(trail.reached.replace(second=0) + 20 * MINUTE, "waiting")
    verdict = judge(trail.bucket, now=trail.reached + 50 * MINUTE)
    assert (verdict.status, verdict.not_signed_yet) == (ProofStatus.PENDING, (waiting,))
    assert verdict.proven == len(prove(trail.bucket).files) > 10
    assert found(verdict) == {("not_signed_yet", "")}
