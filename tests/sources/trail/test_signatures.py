"""Signatures are verified with CloudTrail's public keys, which are fetched once."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from botocore.exceptions import ClientError, EndpointConnectionError
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate_ec_key
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cloudtrail_elasticsearch.core.coverage.findings import FindingKind
from cloudtrail_elasticsearch.core.errors import AccessDeniedError, TransientError
from cloudtrail_elasticsearch.sources.trail import signatures
from cloudtrail_elasticsearch.sources.trail.digests import Digest, decode_digest
from cloudtrail_elasticsearch.sources.trail.layout import DigestKey, TrailName
from cloudtrail_elasticsearch.sources.trail.signatures import FetchedKeys, verify_signature

from .memory_trail import (
    AUDIT,
    BUCKET,
    DAY,
    HOUR,
    OTHER_REGION,
    REGION,
    ROOT,
    MemoryBucket,
    MemoryKeys,
    TrailWriter,
    fingerprint_of,
    public_der,
    signing_key,
)


def one_digest(trail: TrailName = AUDIT) -> Digest:
    writer = TrailWriter(MemoryBucket(), trail)
    key = ROOT.parse_key(writer.close_digest())
    assert isinstance(key, DigestKey)
    decoded = decode_digest(BUCKET, key, writer.bucket.objects[key.key])
    assert isinstance(decoded, Digest)
    return decoded


class Pages:
    """A client of ListPublicKeys that answers from a list of pages and records the requests."""

    def __init__(self, *pages: dict[str, Any] | Exception) -> None:
        self.pages = list(pages)
        self.requests: list[dict[str, Any]] = []

    def list_public_keys(self, **request: Any) -> dict[str, Any]:
        self.requests.append(request)
        page = self.pages[min(len(self.requests), len(self.pages)) - 1]
        if isinstance(page, Exception):
            raise page
        return page


def key_page(name: str = "a", token: str | None = None) -> dict[str, Any]:
    key = signing_key(name)
    listed = {"Fingerprint": fingerprint_of(key), "Value": public_der(key)}
    return {"PublicKeyList": [listed], **({"NextToken": token} if token else {})}


def fetched(pages: Pages, now: datetime = DAY + 100 * HOUR) -> FetchedKeys:
    return FetchedKeys(lambda region: pages, lambda: now)


def test_a_valid_signature_has_no_finding() -> None:
    """With the key of the digest's own region."""
    assert verify_signature(one_digest(), MemoryKeys()) is None


@pytest.mark.parametrize(
    "changes",
    [
        {"signature": "00" * 256},
        {"signature": "not hexadecimal"},
        {"signature": ""},
        {"signature": "ÿ"},
        {"signed_text": b"another text"},
    ],
)
def test_another_text_or_signature_is_named(changes: dict[str, Any]) -> None:
    """Whatever the metadata has as a signature, nothing raises."""
    finding = verify_signature(replace(one_digest(), **changes), MemoryKeys())
    assert finding is not None
    assert finding.kind is FindingKind.BAD_SIGNATURE


def test_a_signature_of_another_key_is_named() -> None:
    """The fingerprint names a key of AWS, but another key made the signature."""
    keys = MemoryKeys({fingerprint_of(signing_key()): public_der(signing_key("b"))})
    finding = verify_signature(one_digest(), keys)
    assert finding is not None
    assert finding.kind is FindingKind.BAD_SIGNATURE


@pytest.mark.parametrize("value", [None, b"no key", b""])
def test_a_digest_of_an_unknown_key_is_named(value: bytes | None) -> None:
    """There is no key with its fingerprint, or it is no key."""
    keys = MemoryKeys({} if value is None else {fingerprint_of(signing_key()): value})
    finding = verify_signature(one_digest(), keys)
    assert finding is not None
    assert finding.kind is FindingKind.UNKNOWN_KEY


def test_only_rsa_keys_are_accepted() -> None:
    """CloudTrail signs with RSA."""
    curve = generate_ec_key(SECP256R1()).public_key()
    der = curve.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    finding = verify_signature(one_digest(), MemoryKeys({fingerprint_of(signing_key()): der}))
    assert finding is not None
    assert finding.kind is FindingKind.UNKNOWN_KEY


def test_the_home_region_is_asked_after_the_digests_region() -> None:
    """A key of either region verifies."""
    asked = []

    class Keys(MemoryKeys):
        def find(self, region: str, *about: Any) -> bytes | None:
            asked.append(region)
            return super().find(region, *about) if region == OTHER_REGION else None

    assert verify_signature(one_digest(TrailName("audit", OTHER_REGION)), Keys()) is None
    assert asked == [REGION, OTHER_REGION]


def test_all_pages_of_keys_are_fetched_once() -> None:
    """A region rotates its keys, so a range can have several; a known key is not fetched again."""
    pages = Pages(key_page("b", token="more"), key_page())
    keys = fetched(pages)
    for name in ("a", "b", "a"):
        key = signing_key(name)
        assert keys.find(REGION, fingerprint_of(key), DAY, DAY + HOUR) == public_der(key)
    assert pages.requests[0] == {"StartTime": DAY, "EndTime": DAY + HOUR}
    assert [request.get("NextToken") for request in pages.requests] == [None, "more"]


def test_an_unknown_fingerprint_is_asked_once_for_a_past_range() -> None:
    """The keys of a range that is over never change; those of a range that is not over can."""
    pages = Pages(key_page())
    keys = fetched(pages, now=DAY + HOUR)
    for _ in range(3):
        assert keys.find(REGION, "unknown", DAY, DAY + HOUR) is None
    assert len(pages.requests) == 1
    for _ in range(3):
        assert keys.find(REGION, "unknown", DAY, DAY + 2 * HOUR) is None
    assert len(pages.requests) == 4


def test_keys_of_regions_are_kept_apart() -> None:
    """Each region has its own keys."""
    clients = {REGION: Pages(key_page()), OTHER_REGION: Pages({"PublicKeyList": []})}
    keys = FetchedKeys(clients.__getitem__)
    fingerprint = fingerprint_of(signing_key())
    assert keys.find(REGION, fingerprint, DAY, DAY + HOUR) is not None
    assert keys.find(OTHER_REGION, fingerprint, DAY, DAY + HOUR) is None


def test_paging_that_does_not_end_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """AWS repeats a token without end."""
    monkeypatch.setattr(signatures, "MOST_PAGES", 5)
    pages = Pages(key_page(token="again"))
    with pytest.raises(TransientError, match=r"public keys of eu-central-1 did not end"):
        fetched(pages).find(REGION, "unknown", DAY, DAY + HOUR)
    assert len(pages.requests) == 5


def test_a_missing_permission_is_an_error_not_a_finding() -> None:
    """Keys that cannot be fetched do not make a digest invalid."""
    denied = ClientError({"Error": {"Code": "AccessDeniedException", "Message": "no"}}, "ListPublicKeys")
    with pytest.raises(AccessDeniedError, match="cloudtrail:ListPublicKeys"):
        fetched(Pages(denied)).find(REGION, "unknown", DAY, DAY + HOUR)


@pytest.mark.promise("nothing-lost", "proven-by-aws")
def test_a_region_that_somebody_made_up_has_no_keys() -> None:
    """Its name is in a digest's key, and nobody can be asked; the window must still be loaded."""
    unreachable = Pages(EndpointConnectionError(endpoint_url="https://cloudtrail.us-bogus-9.amazonaws.com"))
    keys = fetched(unreachable)
    for _ in range(3):
        assert keys.find("us-bogus-9", "unknown", DAY, DAY + HOUR) is None
    assert len(unreachable.requests) == 1
    with pytest.raises(TransientError, match="public keys of eu-central-1"):
        keys.find(REGION, "unknown", DAY, DAY + HOUR)


def test_a_region_that_botocore_does_not_know_is_asked() -> None:
    """It can be newer than botocore."""
    key = signing_key()
    assert fetched(Pages(key_page())).find("us-newest-1", fingerprint_of(key), DAY, DAY + HOUR) == public_der(key)


@pytest.mark.promise("nothing-lost", "proven-by-aws")
def test_times_that_aws_rejects_have_no_keys() -> None:
    """A forged digest can state any times."""
    rejected = ClientError({"Error": {"Code": "InvalidTimeRangeException", "Message": "no"}}, "ListPublicKeys")
    assert fetched(Pages(rejected)).find(REGION, "unknown", DAY, DAY + HOUR) is None
