"""Reads and verifies the digests of a window, and the digests that they link to."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, Protocol, TypeGuard

from cloudtrail_elasticsearch.core.coverage.findings import Finding, FindingKind
from cloudtrail_elasticsearch.core.coverage.windows import DAY, Window, midnight
from cloudtrail_elasticsearch.sources.trail.coverage import DIGEST_PERIOD, Span, span_to_cover
from cloudtrail_elasticsearch.sources.trail.digests import (
    MOST_BYTES,
    Digest,
    LogFileEntry,
    PreviousDigest,
    StoredObject,
    decode_digest,
)
from cloudtrail_elasticsearch.sources.trail.layout import (
    DIGEST_KIND,
    DigestKey,
    LogFileKey,
    MisnamedKey,
    TrailName,
    TrailRoot,
)
from cloudtrail_elasticsearch.sources.trail.signatures import PublicKeys, verify_signature

_SMALL: Final = 256 * 1024
"""The most bytes of a digest that is read ahead; a larger one is read alone, so that memory is bounded.

A packed digest of this size lists about 2,000 log files.
"""

_AHEAD: Final = 2 * DIGEST_PERIOD
"""The time after the end of what digests must cover, within which the last digest's end is searched."""


class DigestStore(Protocol):
    """The bucket of a trail."""

    @property
    def bucket(self) -> str:
        """Its name."""

    def list_keys(self, prefix: str) -> Iterable[str]:
        """Return the keys that begin with a prefix, in any order."""

    def read(self, key: str, most: int) -> StoredObject | None:
        """Return an object, or only its first `most` bytes if it has more; None if there is no such object.

        Every other failure must raise: an object that cannot be read is not a missing one.
        """

    def read_many(self, keys: Iterable[str], most: int) -> Iterable[StoredObject | None]:
        """Return what `read` returns for each key, in the order of the keys."""


@dataclass(frozen=True, slots=True)
class NoDigests:
    """The `DigestStore` of a region that has no digest of any time."""

    bucket: str

    def list_keys(self, prefix: str) -> Iterable[str]:  # noqa: ARG002 - of the protocol
        """Return nothing."""
        return ()

    def read(self, key: str, most: int) -> StoredObject | None:  # noqa: ARG002 - of the protocol
        """Return None."""
        return None

    def read_many(self, keys: Iterable[str], most: int) -> Iterable[StoredObject | None]:  # noqa: ARG002 - as above
        """Return None for each key."""
        return [None for _ in keys]


@dataclass(frozen=True, slots=True)
class ListedFile:
    """What a digest lists about a log file."""

    sha256: str
    """Of its uncompressed content, in hexadecimal digits."""
    digest: str
    """The key of the digest."""


@dataclass(frozen=True, slots=True)
class VerifiedDigest:
    """A digest with a valid signature, without its list of log files."""

    key: DigestKey
    start: datetime
    sha256: str
    signature: str
    previous: PreviousDigest | None

    @property
    def span(self) -> Span:
        """The time that it covers."""
        return Span(self.start, self.key.end)


class WindowDigests:
    """The verified digests of a window, the log files that they list, and the findings about them.

    :param reach: the time before and after the window in which further digests are read for their lists; findings
        about these digests are left out
    """

    def __init__(
        self,
        store: DigestStore,
        keys: PublicKeys,
        root: TrailRoot,
        window: Window,
        reach: timedelta = timedelta(0),
    ) -> None:
        self.verified: dict[str, VerifiedDigest] = {}
        self.findings: set[Finding] = set()
        self.absent: list[DigestKey] = []
        """The digests that are missing or not valid."""
        self.files: dict[str, ListedFile] = {}
        self._store = store
        self._keys = keys
        self._root = root
        self._window = window
        self._reach = reach
        self._wanted = span_to_cover(window)

    def read_all(self) -> None:
        """Read the window's digests, and those that they link to as far back as the window's start."""
        near, far = self._list_digests()
        gone = "it was listed, but is not in the bucket any more"
        waiting = [kept for key, found in self._read_many(near) if (kept := self._keep_near(key, found, gone))]
        while waiting:
            found = self._follow_link(waiting.pop())
            if found is not None:
                waiting.append(found)
        for _, digest in self._read_many([key for key in far if key.key not in self.verified]):
            if isinstance(digest, Digest):
                # Whether such a digest is valid matters to the proof of its own window.
                conflicts = (each for each in self._keep(digest) if each.kind is FindingKind.CONFLICTING_HASHES)
                self.findings.update(conflicts)

    def list_region(self) -> Iterator[DigestKey]:
        """Yield the keys of all digests of the account and region, of any time."""
        folder = self._root.region_folder(self._window.account, DIGEST_KIND, self._window.region)
        for key in self._store.list_keys(folder):
            parsed = self._root.parse_key(key)
            if isinstance(parsed, DigestKey):
                yield parsed

    def read_digest(self, key: DigestKey) -> Digest | Finding | None:
        """Return a digest with a valid signature, or what is wrong with it; None if there is no such object."""
        return self._verify(key, self._store.read(key.key, MOST_BYTES + 1))

    def _read_many(self, keys: list[DigestKey]) -> Iterator[tuple[DigestKey, Digest | Finding | None]]:
        """Yield the keys with what `read_digest` returns for each, in the order of the keys."""
        many = self._store.read_many([key.key for key in keys], _SMALL + 1)
        for key, stored in zip(keys, many, strict=True):
            if stored is not None and len(stored.body) > _SMALL:
                yield key, self.read_digest(key)
            else:
                yield key, self._verify(key, stored)

    def _verify(self, key: DigestKey, stored: StoredObject | None) -> Digest | Finding | None:
        if stored is None:
            return None
        decoded = decode_digest(self._store.bucket, key, stored)
        if isinstance(decoded, Finding):
            return decoded
        return verify_signature(decoded, self._keys) or decoded

    def _list_digests(self) -> tuple[list[DigestKey], list[DigestKey]]:
        """Return the keys that the window's proof needs, and the further keys within reach."""
        regular: defaultdict[TrailName, list[DigestKey]] = defaultdict(list)
        near: list[DigestKey] = []
        far: list[DigestKey] = []
        latest = self._wanted.end + DIGEST_PERIOD
        for key in self._list_days():
            if self._wanted.start <= key.end <= latest:
                near.append(key)
            elif key.is_backfill or key.end < self._wanted.start:
                far.append(key)
            else:
                regular[key.trail].append(key)
        covered = {key.trail for key in near if not key.is_backfill and key.end >= self._wanted.end}
        for trail, later in regular.items():
            later.sort(key=lambda key: key.end)
            # A digest that covers more than an hour ends later than expected.
            first = [] if trail in covered else later[:1]
            near += first
            far += later[len(first) :]
        within = Span(self._wanted.start - self._reach, self._wanted.end + self._reach)
        reached = [key for key in far if within.start <= key.end and key.end < within.end + DIGEST_PERIOD]
        return _sort_keys(near), _sort_keys(reached if self._reach else [])

    def _list_days(self) -> Iterator[DigestKey]:
        """Yield the keys of the digests in the day folders of the window and of its reach."""
        inside = Span(self._window.start, self._window.end)
        day = (self._wanted.start - self._reach).date()
        while day <= (self._wanted.end + self._reach + _AHEAD).date():
            folder = self._root.day_folder(self._window.account, DIGEST_KIND, self._window.region, day)
            for key in self._store.list_keys(folder):
                parsed = self._root.parse_key(key)
                if isinstance(parsed, DigestKey):
                    yield parsed
                elif isinstance(parsed, MisnamedKey) and inside.overlaps(Span(midnight(day), midnight(day) + DAY)):
                    self.findings.add(Finding(FindingKind.MISNAMED, parsed.key, parsed.reason))
            day += DAY

    def _keep_near(self, key: DigestKey, digest: Digest | Finding | None, gone: str) -> VerifiedDigest | None:
        """Keep a digest that the proof needs; return None, and keep the finding, if it is missing or not valid.

        :param gone: the reason in the finding if it is missing
        """
        if isinstance(digest, Digest):
            self.findings.update(self._keep(digest))
            return self.verified[key.key]
        self.findings.add(digest or Finding(FindingKind.MISSING_DIGEST, key.key, gone))
        self.absent.append(key)
        return None

    def _keep(self, digest: Digest) -> list[Finding]:
        """Keep a verified digest and its log files of the window; return the findings about its list."""
        self.verified[digest.key.key] = VerifiedDigest(
            digest.key, digest.start, digest.sha256, digest.signature, digest.previous
        )
        findings: list[Finding] = []
        elsewhere = 0
        for entry in digest.log_files:
            file = self._root.parse_key(entry.s3_object)
            if entry.s3_bucket != self._store.bucket or not self._is_ours(file):
                elsewhere += 1
            elif self._window.start <= file.delivered < self._window.end:
                findings += self._keep_file(entry, digest.key)
        if elsewhere:
            reason = (
                f"it lists log files ({elsewhere}) in another bucket or outside of the folders of its account and "
                f"region: prove them with the bucket and prefix that the trail had then"
            )
            findings.append(Finding(FindingKind.UNREAD_PLACE, digest.key.key, reason))
        return findings

    def _is_ours(self, file: object) -> TypeGuard[LogFileKey]:
        own = (self._window.account, self._window.region)
        return isinstance(file, LogFileKey) and (file.account, file.region) == own

    def _keep_file(self, entry: LogFileEntry, digest: DigestKey) -> Iterator[Finding]:
        if not entry.is_sha256:
            reason = f"{digest.key} lists another hash of it than a SHA-256"
            yield Finding(FindingKind.UNKNOWN_ALGORITHM, entry.s3_object, reason)
        known = self.files.setdefault(entry.s3_object, ListedFile(entry.hash_value, digest.key))
        if known.sha256 != entry.hash_value:
            reason = f"{known.digest} and {digest.key} list different hashes of it"
            yield Finding(FindingKind.CONFLICTING_HASHES, entry.s3_object, reason)

    def _follow_link(self, digest: VerifiedDigest) -> VerifiedDigest | None:
        """Check a digest's link; return the previous digest if it was read only now."""
        link = digest.previous
        if link is None or link.bucket != self._store.bucket:
            return None
        previous = self._root.parse_key(link.key)
        if previous is None:
            # The trail had another prefix then; the time before this digest is a hole.
            return None
        if not isinstance(previous, DigestKey) or not _is_before(previous, digest.key):
            reason = "it links to an object that is not an earlier digest of its trail, account and region"
            self.findings.add(Finding(FindingKind.BROKEN_LINK, digest.key.key, reason))
            return None
        is_other_windows = not self._wanted.start <= previous.end <= digest.key.end
        if is_other_windows or previous in self.absent:
            return None
        known = self.verified.get(link.key)
        found = None
        if known is None:
            # The listing can be older than the digest.
            reason = f"it is not in the bucket, but {digest.key.key} links to it"
            known = found = self._keep_near(previous, self.read_digest(previous), reason)
        if known is not None and (known.sha256, known.signature) != (link.sha256, link.signature):
            reason = f"it links to another content than {link.key} has"
            self.findings.add(Finding(FindingKind.BROKEN_LINK, digest.key.key, reason))
        return found


def _is_before(previous: DigestKey, digest: DigestKey) -> bool:
    """Return whether a digest can be the one before another one."""
    if (previous.account, previous.region, previous.trail) != (digest.account, digest.region, digest.trail):
        return False
    # Backfill digests are made in another order than the times that they cover.
    return digest.is_backfill or previous.end < digest.end


def _sort_keys(keys: Iterable[DigestKey]) -> list[DigestKey]:
    """Return distinct keys in one order, so that no finding depends on the order of the listing."""
    return sorted(set(keys), key=lambda key: key.key)
