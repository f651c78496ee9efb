"""Whatever is altered, removed or added, and in whatever order it is listed: the verdict is not signed."""

from __future__ import annotations

import gzip
import zlib
from dataclasses import replace
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core.coverage.findings import ProofStatus
from cloudtrail_elasticsearch.sources.trail.coverage import Span, find_holes, span_to_cover
from cloudtrail_elasticsearch.sources.trail.digests import StoredObject
from cloudtrail_elasticsearch.sources.trail.layout import DigestKey, LogFileKey

from .memory_trail import DAY, HOUR, LATER, MINUTE, ROOT, WINDOW, MemoryBucket, TrailWriter, judge

PART = replace(WINDOW, start=DAY + 6 * HOUR, end=DAY + 11 * HOUR)


@cache
def intact() -> MemoryBucket:
    """Return a trail of twenty hours around the window."""
    trail = TrailWriter(MemoryBucket())
    trail.write_until(DAY + 20 * HOUR, every=25 * MINUTE)
    return trail.bucket


def matters(key: str) -> bool:
    """Return whether an object is a log file of the window, or a digest of the time that must be covered."""
    parsed = ROOT.parse_key(key)
    wanted = span_to_cover(PART)
    if isinstance(parsed, LogFileKey):
        return PART.start <= parsed.delivered < PART.end
    return isinstance(parsed, DigestKey) and wanted.start < parsed.end < wanted.end + HOUR


def meaning(stored: StoredObject) -> object:
    """Return what AWS's hashes and signatures cover: content without its compression, and the metadata."""
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        text = unpacker.decompress(stored.body)
    except zlib.error:
        return stored.body
    whole = unpacker.eof and not unpacker.unused_data
    return (text, tuple(sorted(stored.metadata.items()))) if whole else stored.body


def relevant(bucket: MemoryBucket) -> dict[str, object]:
    return {key: meaning(stored) for key, stored in bucket.objects.items() if matters(key)}


KEYS = sorted(relevant(intact()))
seeds = st.integers(0, 2**32)


@st.composite
def changes(draw: st.DrawFn) -> MemoryBucket:
    """Return the bucket after one to four changes to objects of the window."""
    bucket = intact().copy(draw(seeds))
    for _ in range(draw(st.integers(1, 4))):
        key = draw(st.sampled_from(KEYS))
        stored = bucket.objects.get(key) or intact().objects[key]
        size = len(stored.body)
        change = draw(st.sampled_from(["remove", "flip", "cut", "append", "swap", "rewrite", "metadata", "add"]))
        if change == "remove":
            bucket.objects.pop(key, None)
        elif change == "flip" and size:
            at = draw(st.integers(0, size - 1))
            flipped = bytes([stored.body[at] ^ (1 << draw(st.integers(0, 7)))])
            bucket.put(key, stored.body[:at] + flipped + stored.body[at + 1 :], dict(stored.metadata))
        elif change == "cut":
            bucket.put(key, stored.body[: draw(st.integers(0, size))], dict(stored.metadata))
        elif change == "append":
            bucket.put(key, stored.body + draw(st.binary(min_size=1)), dict(stored.metadata))
        elif change == "swap":
            bucket.objects[key] = intact().objects[draw(st.sampled_from(sorted(intact().objects)))]
        elif change == "rewrite":
            bucket.put(key, gzip.compress(draw(st.binary())), dict(stored.metadata))
        elif change == "metadata":
            bucket.put(key, stored.body, {**stored.metadata, "signature": draw(st.text("0123456789abcdef"))})
        else:
            letters = draw(st.text("abcdefXYZ019", min_size=1))
            bucket.objects[key.replace(".json.gz", f"{letters}.json.gz")] = stored
    return bucket


@pytest.mark.promise("proven-by-aws")
@given(changes())
def test_nothing_is_signed_if_an_object_of_the_window_changed(bucket: MemoryBucket) -> None:
    """Unless the changes undo each other, or concern only what no hash covers, such as the compression."""
    is_same = relevant(bucket) == relevant(intact()) and set(bucket.objects) == set(intact().objects)
    verdict = judge(bucket, PART)
    if verdict.status is ProofStatus.SIGNED:
        # The metadata of a log file has no meaning.
        files = {key for key in KEYS if isinstance(ROOT.parse_key(key), LogFileKey)}
        changed = {key for key, value in relevant(bucket).items() if relevant(intact()).get(key) != value}
        assert is_same or (changed <= files and _have_same_texts(bucket, changed))
        assert set(relevant(bucket)) == set(KEYS)
    elif is_same:
        pytest.fail(f"an intact trail is {verdict.status}: {verdict.findings}")


def _have_same_texts(bucket: MemoryBucket, keys: set[str]) -> bool:
    return all(
        gzip.decompress(bucket.objects[key].body) == gzip.decompress(intact().objects[key].body) for key in keys
    )


@pytest.mark.promise("proven-by-aws")
@given(seeds)
def test_an_intact_trail_is_signed_in_whatever_order_it_is_listed(seed: int) -> None:
    """Listings repeat keys, too."""
    assert judge(intact().copy(seed), PART).status is ProofStatus.SIGNED


@pytest.mark.promise("proven-by-aws")
@given(st.sets(st.sampled_from(KEYS), min_size=1), seeds)
def test_findings_do_not_depend_on_the_order_of_the_listing(removed: set[str], seed: int) -> None:
    """Any objects of the window are removed."""
    buckets = [intact().copy(seed), intact().copy(seed + 1)]
    for bucket in buckets:
        for key in removed:
            del bucket.objects[key]
    first, second = (judge(bucket, PART) for bucket in buckets)
    assert first == second
    assert first.status in (ProofStatus.GAP, ProofStatus.INVALID)


@pytest.mark.promise("proven-by-aws")
@given(
    st.lists(st.tuples(st.integers(1, 90), st.integers(0, 20), st.booleans()), min_size=1, max_size=40),
    st.integers(0, 600),
)
def test_only_a_chain_without_a_hole_is_signed(steps: list[tuple[int, int, bool]], early: int) -> None:
    """Digests of any length, chains that begin anew with and without a stop, ended at any time."""
    trail = TrailWriter(MemoryBucket(), reached=PART.start - early * MINUTE)
    spans = []
    for length, stop, is_new in steps:
        if stop or is_new:
            trail.restart(trail.reached + stop * MINUTE)
        spans.append(Span(trail.reached, trail.reached + length * 5 * MINUTE))
        trail.close_digest(spans[-1].end)
    is_covered = not list(find_holes(span_to_cover(PART), spans))
    assert (judge(trail.bucket, PART, now=LATER).status is ProofStatus.SIGNED) == is_covered


@pytest.mark.promise("proven-by-aws")
@given(st.lists(st.tuples(st.integers(0, 100), st.integers(1, 40))), st.integers(0, 100), st.integers(1, 50))
def test_holes_are_the_moments_that_no_span_covers(spans: list[tuple[int, int]], start: int, length: int) -> None:
    """Compared minute by minute; overlaps, repeats and order do not matter."""

    def span(first: int, minutes: int) -> Span:
        return Span(DAY + first * MINUTE, DAY + (first + minutes) * MINUTE)

    holes = list(find_holes(span(start, length), [span(*each) for each in spans]))
    moments = {DAY + minute * MINUTE for minute in range(start, start + length)}
    covered = {DAY + (first + minute) * MINUTE for first, minutes in spans for minute in range(minutes)}
    in_holes = [
        hole.start + minute * MINUTE for hole in holes for minute in range((hole.end - hole.start) // MINUTE)
    ]
    assert sorted(in_holes) == sorted(moments - covered)
