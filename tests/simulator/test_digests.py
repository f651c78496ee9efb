"""The digests of a simulated trail: hours, chains, signatures, and log files that came late."""

from __future__ import annotations

import gzip
import hashlib
import itertools
from collections.abc import Iterator
from typing import Any

import orjson
import pytest
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from devstack.simulator.trails import MemoryBucket, Stop, Switches, Written, WrittenDigest, write_trail
from devstack.simulator.trails.keys import PERIOD, SigningKeys
from tests.simulator.trails import KEYS, TRAIL, small_plan

HOUR = 3600
PLAN = small_plan()
STOP = Stop(PLAN.start + 9 * HOUR + 77, PLAN.start + 11 * HOUR + 5)


@pytest.fixture(scope="module")
def bucket() -> MemoryBucket:
    return MemoryBucket()


@pytest.fixture(scope="module")
def written(bucket: MemoryBucket) -> Written:
    return write_trail(small_plan(switches=Switches(late=0.1, stops=(STOP,))), bucket)


def hourly(written: Written) -> Iterator[list[WrittenDigest]]:
    """Yield the hourly digests of each account and region."""
    for account in PLAN.accounts:
        for region in PLAN.regions:
            yield [
                digest
                for digest in written.digests
                if (digest.account, digest.region, digest.is_backfill) == (account, region, False)
            ]


def content(bucket: MemoryBucket, key: str) -> tuple[dict[str, Any], bytes]:
    """Return a digest, and the bytes that are hashed."""
    data = gzip.decompress(bucket.get(key).body)
    return orjson.loads(data), data


def test_every_hour_of_every_region_has_a_digest(bucket: MemoryBucket, written: Written) -> None:
    """Also where nothing was delivered; the digests of a region follow each other, but for the stop."""
    for digests in hourly(written):
        assert digests[0].start == PLAN.start
        assert PLAN.end <= digests[-1].end < PLAN.end + HOUR
        ends = [(one.end, other.start) for one, other in itertools.pairwise(digests)]
        assert [pair for pair in ends if pair[0] != pair[1]] == [(STOP.start, STOP.end)]
    empty = next(digest for digest in written.digests if not digest.log_files)
    fields, _ = content(bucket, empty.key)
    assert fields["logFiles"] == []
    assert fields["newestEventTime"] is fields["oldestEventTime"] is None


def test_a_digest_lists_the_log_files_of_its_hour(bucket: MemoryBucket, written: Written) -> None:
    """Each with the hash of its uncompressed content; every log file is in one digest."""
    files = {file.key: file for file in written.log_files}
    listed: list[str] = []
    for digest in written.digests:
        fields, _ = content(bucket, digest.key)
        assert [file["s3Object"] for file in fields["logFiles"]] == list(digest.log_files)
        for file in fields["logFiles"]:
            data = gzip.decompress(bucket.get(file["s3Object"]).body)
            assert file["hashValue"] == hashlib.sha256(data).hexdigest() == files[file["s3Object"]].sha256
            assert file["oldestEventTime"] <= file["newestEventTime"] <= fields["newestEventTime"]
            assert digest.start <= files[file["s3Object"]].delivered < digest.end
            assert files[file["s3Object"]].is_late == digest.is_backfill
        listed += digest.log_files
    assert sorted(listed) == sorted(files)


def test_a_chain_links_each_digest_to_the_one_before(bucket: MemoryBucket, written: Written) -> None:
    """By its key, the hash of its uncompressed content and its signature; a restart begins a chain anew."""
    for digests in hourly(written):
        assert [digest.start for digest in digests if digest.begins_chain] == [PLAN.start, STOP.end]
        for one, other in itertools.pairwise(digests):
            fields, _ = content(bucket, other.key)
            link = (fields["previousDigestS3Object"], fields["previousDigestHashValue"])
            _, before = content(bucket, one.key)
            expected = (one.key, hashlib.sha256(before).hexdigest())
            assert link == ((None, None) if other.begins_chain else expected)
            signature = None if other.begins_chain else bucket.get(one.key).metadata["signature"]
            assert fields["previousDigestSignature"] == signature


def test_the_key_of_the_region_signs(bucket: MemoryBucket, written: Written) -> None:
    """The signature verifies with the public key of the fingerprint, over the text that AWS documents."""
    for digest in written.digests:
        fields, data = content(bucket, digest.key)
        metadata = bucket.get(digest.key).metadata
        key = KEYS.at(digest.region, digest.end)
        assert fields["digestPublicKeyFingerprint"] == key.fingerprint
        assert metadata["signature-algorithm"] == fields["digestSignatureAlgorithm"] == "SHA256withRSA"
        public = load_der_public_key(key.public)
        assert isinstance(public, RSAPublicKey)
        place = f"{TRAIL.bucket}/{digest.key}"
        previous = fields["previousDigestSignature"] or "null"
        text = f"{fields['digestEndTime']}\n{place}\n{hashlib.sha256(data).hexdigest()}\n{previous}"
        public.verify(bytes.fromhex(metadata["signature"]), text.encode(), PKCS1v15(), SHA256())
    assert len({KEYS.at(region, PLAN.start).fingerprint for region in PLAN.regions}) == len(PLAN.regions)


def test_a_backfill_digest_lists_late_log_files(bucket: MemoryBucket, written: Written) -> None:
    """Its key is that of the hour with a suffix, and its metadata has the time at which it was made."""
    backfills = [digest for digest in written.digests if digest.is_backfill]
    assert {key for digest in backfills for key in digest.log_files} == set(written.late())
    for digest in backfills:
        assert digest.key.endswith("Z_backfill.json.gz")
        assert digest.key.replace("_backfill", "") in bucket.objects
        made = bucket.get(digest.key).metadata["backfill-generation-timestamp"]
        assert made > content(bucket, digest.key)[0]["digestEndTime"]


def test_a_day_of_digests_that_end_on_the_hour_has_24() -> None:
    """The offset of the hours can be fixed."""
    digests = write_trail(small_plan(digest_offset=0), MemoryBucket()).digests
    assert len(digests) == 24 * len(list(PLAN.cells()))


def test_keys_change_with_the_region_the_seed_and_the_period() -> None:
    """A range of time has all keys that sign in it."""
    keys = SigningKeys(bits=1024)
    start = 30 * PERIOD
    assert [key.start for key in keys.between("us-east-1", start, start + PERIOD)] == [start, start + PERIOD]
    different = {
        keys.at("us-east-1", start).fingerprint,
        keys.at("us-east-1", start - 1).fingerprint,
        keys.at("eu-west-1", start).fingerprint,
        SigningKeys(seed=2, bits=1024).at("us-east-1", start).fingerprint,
    }
    assert len(different) == 4
    assert SigningKeys().at("us-east-1", start).private.key_size == 2048
