"""Verifies the signatures of digests with the public keys of CloudTrail."""

from __future__ import annotations

import binascii
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Protocol

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_der_public_key

from cloudtrail_elasticsearch.aws_errors import translate_errors
from cloudtrail_elasticsearch.core.coverage.findings import Finding, FindingKind
from cloudtrail_elasticsearch.core.errors import TransientError
from cloudtrail_elasticsearch.sources.trail.digests import Digest

MOST_PAGES: Final = 1_000
"""The number of pages of ListPublicKeys after which its paging counts as stuck."""


class PublicKeys(Protocol):
    """Finds public keys of CloudTrail."""

    def find(self, region: str, fingerprint: str, start: datetime, end: datetime) -> bytes | None:
        """Return the PKCS#1 DER of a key that a region used between two times; None if AWS has no such key."""


def verify_signature(digest: Digest, keys: PublicKeys) -> Finding | None:
    """Return why a digest is not signed by AWS; None if it is.

    Each region signs with its own keys, so the key is looked up in the digest's region. The trail's home region is
    asked if the digest's region has no such key.
    """
    key = None
    for region in dict.fromkeys((digest.key.region, digest.key.trail.home_region)):
        key = key or keys.find(region, digest.fingerprint, *digest.key_times)
    if key is None:
        return Finding(
            FindingKind.UNKNOWN_KEY,
            digest.key.key,
            f"CloudTrail has no public key with its fingerprint in {digest.key.region}",
        )
    try:
        public_key = load_der_public_key(key)
    except (ValueError, UnsupportedAlgorithm):
        public_key = None
    if not isinstance(public_key, RSAPublicKey):
        return Finding(
            FindingKind.UNKNOWN_KEY, digest.key.key, "the public key with its fingerprint is not an RSA key"
        )
    try:
        signature = binascii.unhexlify(digest.signature)
        public_key.verify(signature, digest.signed_text, PKCS1v15(), SHA256())
    except (InvalidSignature, ValueError):
        return Finding(
            FindingKind.BAD_SIGNATURE, digest.key.key, "its signature does not match its content and place"
        )
    return None


@dataclass(slots=True)
class _RegionKeys:
    """The keys of one region that were fetched so far, and the ranges of time that were asked for."""

    by_fingerprint: dict[str, bytes] = field(default_factory=dict)
    asked: list[tuple[datetime, datetime]] = field(default_factory=list)
    is_unknown: bool = False
    """Whether no region of AWS has its name: somebody made it up."""


class FetchedKeys:
    """Fetches public keys with ListPublicKeys, and keeps them; threads may share it.

    https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_ListPublicKeys.html

    :param make_client: returns boto3's CloudTrail client of a region
    :param now: returns the time, in UTC
    """

    def __init__(
        self, make_client: Callable[[str], Any], now: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._make_client = make_client
        self._now = now
        self._regions: dict[str, _RegionKeys] = {}
        self._lock = threading.Lock()

    def find(self, region: str, fingerprint: str, start: datetime, end: datetime) -> bytes | None:
        """Return the PKCS#1 DER of a key that a region used between two times; None if AWS has no such key.

        :raises AccessDeniedError: the permission ``cloudtrail:ListPublicKeys`` is missing
        :raises TransientError: AWS did not answer, or its paging does not end
        """
        with self._lock:
            known = self._regions.setdefault(region, _RegionKeys())
            is_known = fingerprint in known.by_fingerprint or known.is_unknown
            if not is_known and not _is_asked(known, start, end):
                try:
                    self._fetch(region, known, start, end)
                except TransientError:
                    # The name of a region comes from a key, and anybody who may write objects can make one up.
                    known.is_unknown = not _is_of_aws(region)
                    if not known.is_unknown:
                        raise
            return known.by_fingerprint.get(fingerprint)

    def _fetch(self, region: str, known: _RegionKeys, start: datetime, end: datetime) -> None:
        from botocore.exceptions import ClientError

        asked_at = self._now()
        client = self._make_client(region)
        request: dict[str, Any] = {"StartTime": start, "EndTime": end}
        for _ in range(MOST_PAGES):
            with translate_errors(f"Fetching CloudTrail's public keys of {region}", "cloudtrail:ListPublicKeys"):
                try:
                    page = client.list_public_keys(**request)
                except ClientError as error:
                    # A forged digest can state times at which AWS had no keys.
                    if error.response["Error"]["Code"] != "InvalidTimeRangeException":
                        raise
                    page = {}
            for each in page.get("PublicKeyList", ()):
                known.by_fingerprint[each["Fingerprint"]] = each["Value"]
            token = page.get("NextToken")
            if not token:
                # A region can begin to use a further key until the range is over.
                if end <= asked_at:
                    known.asked.append((start, end))
                return
            request["NextToken"] = token
        raise TransientError(
            f"Fetching CloudTrail's public keys of {region} did not end after {MOST_PAGES} pages. Retry later."
        )


def _is_asked(known: _RegionKeys, start: datetime, end: datetime) -> bool:
    return any(floor <= start and end <= ceiling for floor, ceiling in known.asked)


def _is_of_aws(region: str) -> bool:
    """Return whether botocore knows a region; it can be older than a region of AWS."""
    import botocore.session

    session = botocore.session.get_session()
    return any(
        region in session.get_available_regions("cloudtrail", partition, allow_non_regional=True)
        for partition in session.get_available_partitions()
    )
