"""AWS's own verification of simulated trails: intact ones, and every kind of tampering."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from devstack.simulator import Simulator, SimulatorSettings
from devstack.simulator.trails import Plan, S3Bucket, Stop, Switches, Trail, Written, write_trail
from devstack.simulator.trails import tampering as tamperings
from devstack.simulator.trails.foreign import write_foreign_objects
from devstack.validate_logs import ValidateLogs, ValidateLogsError, Validation, describe_organization
from tests.simulator.trails import DAY, KEYS, TRAIL, small_plan

pytestmark = pytest.mark.slow

HOUR = 3600
REGION = "us-east-1"

Write = Callable[..., Written]


@pytest.fixture(scope="module")
def organization(aws: str) -> str:
    return describe_organization(aws)


@pytest.fixture
def trail(bucket: str, organization: str) -> Trail:
    return replace(TRAIL, bucket=bucket, organization=organization)


@pytest.fixture
def plan(trail: Trail) -> Plan:
    """A plan of one account and region whose trail is stopped once, with late log files and duplicates."""
    start = small_plan().start
    switches = Switches(late=0.1, duplicates=0.05, stops=(Stop(start + 5 * HOUR + 70, start + 7 * HOUR + 9),))
    whole = small_plan(trail, hours=24, switches=switches)
    return replace(whole, accounts=whole.accounts[:1], regions=(REGION,))


@pytest.fixture
def stored(aws: str, bucket: str) -> S3Bucket:
    import boto3

    return S3Bucket(boto3.client("s3", endpoint_url=aws), bucket)


@pytest.fixture
def written(plan: Plan, stored: S3Bucket) -> Written:
    with stored:
        return write_trail(plan, stored)


@pytest.fixture
def validate(trail: Trail, aws: str) -> Iterator[Callable[[Plan], Validation]]:
    with Simulator(SimulatorSettings(latency=0, trails=(trail,), key_bits=KEYS.bits)) as simulator:

        def run(plan: Plan) -> Validation:
            start, end = (datetime.fromtimestamp(time, UTC) for time in (plan.start, plan.end))
            return ValidateLogs(simulator.endpoint_url, aws).run(trail, plan.accounts[0], REGION, start, end)

        yield run


def test_an_intact_trail_is_valid(
    plan: Plan, written: Written, validate: Callable[[Plan], Validation], stored: S3Bucket
) -> None:
    """Log files, digests and backfill digests; the stop is a gap, and objects of others do not matter."""
    write_foreign_objects(stored, plan.trail, plan.accounts[0], REGION, DAY)
    found = validate(plan)
    assert found.succeeded
    assert found.invalid() == {}
    assert found.valid() == {file.key for file in written.log_files} | {item.key for item in written.digests}
    backfills = {finding.key for finding in found.findings if finding.is_backfill and finding.is_digest}
    assert backfills == {digest.key for digest in written.digests if digest.is_backfill}
    assert backfills
    assert found.gaps == {("2026-11-20T05:01:10Z", "2026-11-20T07:00:09Z")}


LOG_FILE_VERDICTS = {
    "remove_event": "hash value doesn't match",
    "change_event": "hash value doesn't match",
    "append_event": "unexpected data after end of compressed stream",
    "break_gzip": "invalid format",
    "truncate": "hash value doesn't match",
    "delete": "not found",
    "copy_log_file": None,
}
"""The verdict of aws-cli on each tampering; it does not report a log file that no digest lists."""


def test_tampering_with_log_files_is_named(
    plan: Plan, written: Written, stored: S3Bucket, validate: Callable[[Plan], Validation]
) -> None:
    """Exactly the objects that were changed are invalid, each with its reason."""
    assert set(LOG_FILE_VERDICTS) == set(tamperings.WITH_LOG_FILES)
    files = iter(file for file in written.log_files if len(file.event_ids) > 1 and not file.is_late)
    named = {
        tamper(stored, next(files).key): LOG_FILE_VERDICTS[name]
        for name, tamper in tamperings.WITH_LOG_FILES.items()
    }
    found = validate(plan)
    assert not found.succeeded
    assert found.invalid() == {key: verdict for key, verdict in named.items() if verdict}


DIGEST_VERDICTS = {
    "drop_from_digest": "signature verification failed",
    "replace_hash": "signature verification failed",
    "drop_signature": "signature verification failed",
    "move_digest": "has been moved from its original location",
    "sign_with_another_key": "public key not found in region us-east-1 for fingerprint",
    "break_gzip": "invalid format",
    "delete": "not found",
}


def test_tampering_with_digests_is_named(
    plan: Plan, written: Written, stored: S3Bucket, validate: Callable[[Plan], Validation]
) -> None:
    """Exactly the digests that were changed are invalid, each with its reason; the others are valid."""
    assert set(DIGEST_VERDICTS) == set(tamperings.WITH_DIGESTS)
    candidates = [
        digest
        for digest in written.digests
        if digest.log_files and not digest.begins_chain and not digest.is_backfill
    ]
    # Not one beside another: aws-cli finds that a digest is missing only by the link of a valid one.
    chosen = candidates[-2::-2]
    named = {
        tamper(stored, digest.key): DIGEST_VERDICTS[name]
        for (name, tamper), digest in zip(tamperings.WITH_DIGESTS.items(), chosen, strict=False)
    }
    assert len(named) == len(DIGEST_VERDICTS)
    found = validate(plan)
    assert not found.succeeded
    invalid = found.invalid()
    assert set(invalid) == set(named)
    assert all(invalid[key].startswith(verdict) for key, verdict in named.items())
    digests = {finding.key for finding in found.findings if finding.is_digest and finding.is_valid}
    assert digests == {digest.key for digest in written.digests} - set(named)


def test_a_verification_without_a_verdict_is_an_error(plan: Plan, aws: str, trail: Trail) -> None:
    """For example if DescribeTrails does not know the trail."""
    with Simulator(SimulatorSettings(latency=0)) as simulator:
        oracle = ValidateLogs(simulator.endpoint_url, aws)
        start = datetime.fromtimestamp(plan.start, UTC)
        with pytest.raises(ValidateLogsError, match="trail could not be found"):
            oracle.run(trail, plan.accounts[0], REGION, start, start)


def test_log_files_are_encrypted_with_a_key(aws: str, bucket: str, trail: Trail) -> None:
    """Those of a trail with a KMS key; its digests are not. The verification reads both."""
    import boto3

    client: Any = boto3.client("s3", endpoint_url=aws)
    key = "arn:aws:kms:us-east-1:123456789012:key/5f3c2a1b-0000-4000-8000-0123456789ab"
    plan = small_plan(trail, hours=2)
    with S3Bucket(client, bucket, key) as stored:
        written = write_trail(plan, stored)
    assert written.log_files
    for file in written.log_files:
        head = client.head_object(Bucket=bucket, Key=file.key)
        assert (head["ServerSideEncryption"], head["SSEKMSKeyId"]) == ("aws:kms", key)
    assert "SSEKMSKeyId" not in client.head_object(Bucket=bucket, Key=written.digests[0].key)
