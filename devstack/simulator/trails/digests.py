"""The digests of an account and region: their hours, their content, their chain and their signatures.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-custom-validation.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import orjson

from devstack.simulator.trails.log_files import compress, sha256
from devstack.simulator.trails.plan import HOUR, Plan
from devstack.simulator.values import iso_time

_ALGORITHM: Final = "SHA256withRSA"
_AFTER_ITS_END: Final = 300
"""Seconds from the end of a digest's hour until the digest is in the bucket."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A log file as a digest lists it. Times are in epoch seconds."""

    key: str
    sha256: str
    delivered: int
    arrives: int
    oldest: int
    newest: int


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest of the time from `start` (included) to `end` (excluded), with its object."""

    account: str
    region: str
    key: str
    start: int
    end: int
    arrives: int
    is_backfill: bool
    begins_chain: bool
    log_files: tuple[str, ...]
    body: bytes = field(repr=False)
    metadata: dict[str, str] = field(repr=False)


@dataclass(frozen=True, slots=True)
class _Link:
    """A digest's link to its previous digest."""

    key: str
    sha256: str
    signature: str


class _Chain:
    """Makes digests, each linked to the one before."""

    def __init__(self, plan: Plan, account: str, region: str) -> None:
        self._plan = plan
        self._account = account
        self._region = region
        self._last: _Link | None = None

    def hourly(self, start: int, end: int, listed: Sequence[Listed]) -> Digest:
        """Return the next digest of a chain of hourly ones."""
        key = self._plan.trail.digest_key(self._account, self._region, end)
        return self._add(key, start, end, end + _AFTER_ITS_END, listed, is_backfill=False)

    def backfill(self, start: int, end: int, listed: Sequence[Listed]) -> Digest:
        """Return the next digest of a chain of backfill ones; it is made when its last log file has arrived."""
        key = self._plan.trail.backfill_digest_key(self._account, self._region, end)
        arrives = max(file.arrives for file in listed) + _AFTER_ITS_END
        return self._add(key, start, end, arrives, listed, is_backfill=True)

    def _add(
        self, key: str, start: int, end: int, arrives: int, listed: Sequence[Listed], *, is_backfill: bool
    ) -> Digest:
        # aws-cli looks for the key of a backfill digest around the time at which that digest was made.
        signing = self._plan.keys.at(self._region, arrives if is_backfill else end)
        content = orjson.dumps(self._content(key, start, end, listed, signing.fingerprint))
        previous, bucket = self._last, self._plan.trail.bucket
        signature = previous.signature if previous else "null"
        signed = f"{iso_time(end)}\n{bucket}/{key}\n{sha256(content)}\n{signature}"
        self._last = _Link(key, sha256(content), signing.sign(signed))
        metadata = {"signature": self._last.signature, "signature-algorithm": _ALGORITHM}
        if is_backfill:
            metadata["backfill-generation-timestamp"] = iso_time(arrives)
        return Digest(
            account=self._account,
            region=self._region,
            key=key,
            start=start,
            end=end,
            arrives=arrives,
            is_backfill=is_backfill,
            begins_chain=previous is None,
            log_files=tuple(file.key for file in listed),
            body=compress(content),
            metadata=metadata,
        )

    def _content(
        self, key: str, start: int, end: int, listed: Sequence[Listed], fingerprint: str
    ) -> dict[str, Any]:
        bucket, previous = self._plan.trail.bucket, self._last
        return {
            "awsAccountId": self._account,
            "digestStartTime": iso_time(start),
            "digestEndTime": iso_time(end),
            "digestS3Bucket": bucket,
            "digestS3Object": key,
            "digestPublicKeyFingerprint": fingerprint,
            "digestSignatureAlgorithm": _ALGORITHM,
            "newestEventTime": iso_time(max(file.newest for file in listed)) if listed else None,
            "oldestEventTime": iso_time(min(file.oldest for file in listed)) if listed else None,
            "previousDigestS3Bucket": bucket if previous else None,
            "previousDigestS3Object": previous.key if previous else None,
            "previousDigestHashValue": previous.sha256 if previous else None,
            "previousDigestHashAlgorithm": "SHA-256" if previous else None,
            "previousDigestSignature": previous.signature if previous else None,
            "logFiles": [
                {
                    "s3Bucket": bucket,
                    "s3Object": file.key,
                    "hashValue": file.sha256,
                    "hashAlgorithm": "SHA-256",
                    "newestEventTime": iso_time(file.newest),
                    "oldestEventTime": iso_time(file.oldest),
                }
                for file in listed
            ],
        }


def list_digests(plan: Plan, account: str, region: str, files: Sequence[Listed]) -> Iterator[Digest]:
    """Yield the digests that list these log files: one of each hour, empty or not, then the backfill digests.

    A chain of hourly digests begins where the trail starts again. The backfill digests are a chain of their own.
    """
    in_time = [file for file in files if file.arrives == file.delivered]
    late = [file for file in files if file.arrives != file.delivered]
    backfill = _Chain(plan, account, region)
    backfills = []
    for logged in plan.logged():
        chain = _Chain(plan, account, region)
        for start, end in _hours(plan, account, region, *logged):
            yield chain.hourly(start, end, [file for file in in_time if start <= file.delivered < end])
            if listed := [file for file in late if start <= file.delivered < end]:
                backfills.append(backfill.backfill(start, end, listed))
    yield from backfills


def _hours(plan: Plan, account: str, region: str, start: int, stop: int) -> Iterator[tuple[int, int]]:
    """Yield the times of the digests of one chain. The last one ends when the trail stops, or after the plan."""
    offset = plan.offset(account, region)
    end = start + (offset - start) % HOUR or start + HOUR
    while start < stop:
        if end == start:
            end += HOUR
        until = min(end, stop) if stop != plan.end else end
        yield start, until
        start, end = until, end + HOUR
