"""A bucket in memory, and trails that write log files and signed digests into it as CloudTrail does."""

from __future__ import annotations

import gzip
import hashlib
import json
import random
import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.sources.trail.chain import ChainProof, prove_window
from cloudtrail_elasticsearch.sources.trail.digests import StoredObject
from cloudtrail_elasticsearch.sources.trail.layout import (
    DIGEST_KIND,
    LogFileKey,
    MisnamedKey,
    TrailName,
    TrailRoot,
)
from cloudtrail_elasticsearch.sources.trail.verdict import FileCheck, WindowVerdict

ACCOUNT, OTHER_ACCOUNT = "111122223333", "444455556666"
REGION, OTHER_REGION = "eu-central-1", "us-gov-west-1"
BUCKET = "trail-bucket"
ROOT = TrailRoot("logs")
AUDIT = TrailName("audit_all", REGION)
DAY = datetime(2026, 11, 20, tzinfo=UTC)
WINDOW = Window(ACCOUNT, REGION, DAY, DAY + timedelta(days=1))
HOUR, MINUTE = timedelta(hours=1), timedelta(minutes=1)
LATER = DAY + timedelta(days=3)
"""A time at which every digest of the window is due."""


@dataclass
class MemoryBucket:
    """Objects by key; listings come in a random order, some keys twice."""

    objects: dict[str, StoredObject] = field(default_factory=dict)
    seed: int = 0
    bucket: str = BUCKET

    def list_keys(self, prefix: str) -> Iterable[str]:
        keys = [key for key in self.objects if key.startswith(prefix)]
        drawn = random.Random(self.seed)
        listed = keys + drawn.sample(keys, len(keys) // 5)
        drawn.shuffle(listed)
        return listed

    def read(self, key: str, most: int) -> StoredObject | None:
        stored = self.objects.get(key)
        return None if stored is None else replace(stored, body=stored.body[:most])

    def read_many(self, keys: Iterable[str], most: int) -> list[StoredObject | None]:
        wanted = list(keys)
        order = random.Random(self.seed).sample(wanted, len(wanted))
        read = {key: self.read(key, most) for key in order}
        return [read[key] for key in wanted]

    def put(self, key: str, body: bytes, metadata: dict[str, str] | None = None) -> None:
        self.objects[key] = StoredObject(body, metadata or {})

    def copy(self, seed: int = 0) -> MemoryBucket:
        return MemoryBucket(dict(self.objects), seed, self.bucket)


def signing_key(name: str = "a") -> RSAPrivateKey:
    """Return a private key; each name has one."""
    return _make_key(name)


@cache
def _make_key(name: str) -> RSAPrivateKey:
    return generate_private_key(65537, 2048)


def public_der(key: RSAPrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.DER, PublicFormat.PKCS1)


def fingerprint_of(key: RSAPrivateKey) -> str:
    return hashlib.md5(public_der(key)).hexdigest()


@dataclass
class MemoryKeys:
    """The public keys of all regions."""

    by_fingerprint: dict[str, bytes] = field(
        default_factory=lambda: {fingerprint_of(signing_key()): public_der(signing_key())}
    )

    def find(self, region: str, fingerprint: str, start: datetime, end: datetime) -> bytes | None:
        return self.by_fingerprint.get(fingerprint)


@dataclass
class TrailWriter:
    """One trail in one account and region, which delivers log files and closes digests."""

    bucket: MemoryBucket
    trail: TrailName = AUDIT
    account: str = ACCOUNT
    region: str = REGION
    root: TrailRoot = ROOT
    key: RSAPrivateKey = field(default_factory=signing_key)
    reached: datetime = DAY - timedelta(minutes=58, seconds=29)
    """The end of the last digest, or the time at which logging started."""
    previous: dict[str, Any] | None = None
    waiting: list[dict[str, Any]] = field(default_factory=list)
    """The log files for the next digest."""

    def log_file_key(self, named: datetime, suffix: str, kind: str = "CloudTrail") -> str:
        folder = self.root.day_folder(self.account, kind, self.region, named.date())
        return f"{folder}{self.account}_{kind}_{self.region}_{named:%Y%m%dT%H%MZ}_{suffix}.json.gz"

    def deliver(self, named: datetime, suffix: str = "", kind: str = "CloudTrail") -> str:
        """Write a log file, and return its key."""
        key = self.log_file_key(named, suffix or f"f{len(self.bucket.objects):015}", kind)
        text = json.dumps({"Records": [{"eventID": key}]}).encode()
        self.bucket.put(key, gzip.compress(text, mtime=0))
        sha256 = hashlib.sha256(text).hexdigest()
        entry = {"s3Bucket": self.bucket.bucket, "s3Object": key, "hashValue": sha256, "hashAlgorithm": "SHA-256"}
        self.waiting.append({**entry, "newestEventTime": None, "oldestEventTime": None})
        return key

    def digest_key(self, end: datetime, *, backfill: bool = False) -> str:
        folder = self.root.day_folder(self.account, DIGEST_KIND, self.region, end.date())
        name = f"{self.account}_{DIGEST_KIND}_{self.region}_{self.trail.name}_{self.trail.home_region}"
        return f"{folder}{name}_{end:%Y%m%dT%H%M%SZ}{'_backfill' if backfill else ''}.json.gz"

    def close_digest(self, end: datetime | None = None, **changes: Any) -> str:
        """Write the digest of the time since the last one, and return its key.

        :param end: an hour after the last one unless given
        :param changes: other values for fields of the digest, signed with the rest
        """
        end = end or self.reached + HOUR
        key, body, metadata, link = self.make_digest(
            self.digest_key(end), self.reached, end, self.previous, changes
        )
        self.bucket.put(key, body, metadata)
        self.previous, self.reached = link, end
        return key

    def close_backfill(self, start: datetime, end: datetime, made: datetime) -> str:
        """Write a backfill digest of the waiting log files, and return its key."""
        key, body, metadata, _ = self.make_digest(self.digest_key(end, backfill=True), start, end, None, {})
        self.bucket.put(key, body, {**metadata, "backfill-generation-timestamp": f"{made:%Y-%m-%dT%H:%M:%SZ}"})
        return key

    def make_digest(
        self, key: str, start: datetime, end: datetime, previous: dict[str, Any] | None, changes: dict[str, Any]
    ) -> tuple[str, bytes, dict[str, str], dict[str, Any]]:
        """Return a digest's key, body, metadata, and the link of the digest after it."""
        content: dict[str, Any] = {
            "awsAccountId": self.account,
            "digestStartTime": f"{start:%Y-%m-%dT%H:%M:%SZ}",
            "digestEndTime": f"{end:%Y-%m-%dT%H:%M:%SZ}",
            "digestS3Bucket": self.bucket.bucket,
            "digestS3Object": key,
            "digestPublicKeyFingerprint": fingerprint_of(self.key),
            "digestSignatureAlgorithm": "SHA256withRSA",
            "newestEventTime": None,
            "oldestEventTime": None,
            "previousDigestS3Bucket": None,
            "previousDigestS3Object": None,
            "previousDigestHashValue": None,
            "previousDigestHashAlgorithm": None,
            "previousDigestSignature": None,
            **(previous or {}),
            "logFiles": self.waiting,
            **changes,
        }
        self.waiting = []
        text = json.dumps(content).encode()
        sha256 = hashlib.sha256(text).hexdigest()
        place = f"{content['digestS3Bucket']}/{content['digestS3Object']}"
        before = content["previousDigestSignature"] or "null"
        signed = "\n".join((content["digestEndTime"], place, sha256, before)).encode()
        signature = self.key.sign(signed, PKCS1v15(), SHA256()).hex()
        link = {
            "previousDigestS3Bucket": content["digestS3Bucket"],
            "previousDigestS3Object": content["digestS3Object"],
            "previousDigestHashValue": sha256,
            "previousDigestHashAlgorithm": "SHA-256",
            "previousDigestSignature": signature,
        }
        metadata = {"signature": signature, "signature-algorithm": "SHA256withRSA"}
        return key, gzip.compress(text, mtime=0), metadata, link

    def restart(self, start: datetime) -> None:
        """Start logging again: the next digest begins a chain."""
        self.reached, self.previous = start, None

    def write_until(self, end: datetime, every: timedelta = timedelta(minutes=40)) -> list[str]:
        """Write an hourly digest up to the first one that ends at `end` or later; return the digests' keys.

        Log files are delivered `every` so often, so some digests list one and some two.
        """
        keys = []
        named = self.reached.replace(second=0) + every
        while self.reached < end:
            while named < self.reached + HOUR:
                self.deliver(named)
                named += every
            keys.append(self.close_digest())
        return keys


def intact_trail(**writer: Any) -> tuple[TrailWriter, list[str]]:
    """Return a trail with digests from before the window until after it, and the keys of these digests."""
    trail = TrailWriter(MemoryBucket(), **writer)
    return trail, trail.write_until(WINDOW.end + 2 * HOUR)


def prove(bucket: MemoryBucket, window: Window = WINDOW, **how: Any) -> ChainProof:
    """Verify a window's digests."""
    keys, root = how.pop("keys", MemoryKeys()), how.pop("root", ROOT)
    return prove_window(bucket, keys, root, window, **{"now": LATER, **how})


def judge(bucket: MemoryBucket, window: Window = WINDOW, **how: Any) -> WindowVerdict:
    """Verify a window's digests, read all of its log files, and return the verdict."""
    root = how.get("root", ROOT)
    check = FileCheck(prove(bucket, window, **how))
    for key in bucket.list_keys(root.account_folder(window.account)):
        parsed = root.parse_key(key)
        if isinstance(parsed, LogFileKey) and parsed.region == window.region:
            if window.start <= parsed.delivered < window.end:
                check.add_file(parsed, sha256_of(bucket.objects[key].body))
        elif isinstance(parsed, MisnamedKey) and f"/{DIGEST_KIND}/" not in key:
            check.add_misnamed(parsed)
    return check.finish()


def sha256_of(body: bytes) -> str | None:
    """Return the hash of an object's uncompressed content; None if it is not exactly one gzip member."""
    unpacker = zlib.decompressobj(zlib.MAX_WBITS | 16)
    try:
        text = unpacker.decompress(body)
    except zlib.error:
        return None
    return hashlib.sha256(text).hexdigest() if unpacker.eof and not unpacker.unused_data else None


def found(verdict: WindowVerdict | ChainProof) -> set[tuple[str, str]]:
    """Return the kind and the key of each finding."""
    return {(str(each.kind), each.key) for each in verdict.findings}


def log_files(bucket: MemoryBucket, root: TrailRoot = ROOT) -> Iterator[LogFileKey]:
    """Yield the log files of the window."""
    for key in sorted(bucket.objects):
        parsed = root.parse_key(key)
        if isinstance(parsed, LogFileKey) and WINDOW.start <= parsed.delivered < WINDOW.end:
            yield parsed
