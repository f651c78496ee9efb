"""ListPublicKeys, GetTrail, DescribeTrails and GetTrailStatus for boto3."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import asdict, replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from botocore.exceptions import ClientError, ConnectionClosedError

from devstack.simulator import Fault, FaultKind, ManualClock, Simulator
from devstack.simulator.trails import Trail
from tests.simulator.lookups import FIRST, LAST, client, quick
from tests.simulator.trails import KEYS, TRAIL

OTHERS = Trail(bucket="others", name="other", account="999999999999", organization=None)


@pytest.fixture
def simulator(clock: ManualClock) -> Iterator[Simulator]:
    with Simulator(quick(trails=(TRAIL, OTHERS), key_bits=KEYS.bits), clock) as running:
        yield running


def code_of(call: Any, **request: Any) -> str:
    """Return the code of the error that a call raises."""
    with pytest.raises(ClientError) as caught:
        call(**request)
    return str(caught.value.response["Error"]["Code"])


def test_a_trail_is_described_by_name_and_by_arn(simulator: Simulator) -> None:
    """By its name in its home region, by its ARN in every region."""
    trail = client(simulator).get_trail(Name=TRAIL.name)["Trail"]
    assert trail["S3BucketName"] == TRAIL.bucket
    assert trail["S3KeyPrefix"] == TRAIL.prefix
    assert trail["HomeRegion"] == "us-east-1"
    assert trail["TrailARN"] == "arn:aws:cloudtrail:us-east-1:123456789012:trail/organization"
    assert (trail["LogFileValidationEnabled"], trail["IsOrganizationTrail"]) == (True, True)
    elsewhere = client(simulator, "eu-west-1")
    assert elsewhere.get_trail(Name=TRAIL.arn)["Trail"] == trail
    assert code_of(elsewhere.get_trail, Name=TRAIL.name) == "TrailNotFoundException"


def test_the_settings_are_those_of_the_trail(simulator: Simulator) -> None:
    """Without a prefix, a key and validation, and for an account alone."""
    plain = replace(TRAIL, name="plain", prefix="", organization=None, validation=False)
    simulator.service.trails[plain.arn] = plain
    found = client(simulator).get_trail(Name="plain")["Trail"]
    assert not {"S3KeyPrefix", "KmsKeyId"} & set(found)
    assert (found["LogFileValidationEnabled"], found["IsOrganizationTrail"]) == (False, False)
    encrypted = replace(plain, kms_key="arn:aws:kms:us-east-1:123456789012:key/1")
    simulator.service.trails[plain.arn] = encrypted
    assert client(simulator).get_trail(Name="plain")["Trail"]["KmsKeyId"] == encrypted.kms_key


def test_trails_are_described_in_every_region(simulator: Simulator) -> None:
    """An account sees its own trails and those of its organization; without shadows in the home region only."""
    for region in ("us-east-1", "eu-west-1"):
        listed = client(simulator, region).describe_trails()["trailList"]
        assert [trail["TrailARN"] for trail in listed] == [TRAIL.arn]
    assert client(simulator, "eu-west-1").describe_trails(includeShadowTrails=False)["trailList"] == []
    assert len(client(simulator).describe_trails(includeShadowTrails=False)["trailList"]) == 1
    assert client(simulator).describe_trails(trailNameList=["unknown"])["trailList"] == []


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("unknown", "TrailNotFoundException"),
        (OTHERS.arn, "TrailNotFoundException"),
        ("a", "InvalidTrailNameException"),
        ("my--trail", "InvalidTrailNameException"),
        ("arn:aws:s3:::bucket", "CloudTrailARNInvalidException"),
    ],
)
def test_a_wrong_name_gets_the_documented_error(simulator: Simulator, name: str, code: str) -> None:
    """A trail that does not exist or belongs to another account, and texts that name no trail."""
    assert code_of(client(simulator).get_trail, Name=name) == code
    assert code_of(client(simulator).get_trail_status, Name=name) == code


def test_the_status_is_that_of_the_trail(simulator: Simulator) -> None:
    """A stopped trail is not logging."""
    assert client(simulator).get_trail_status(Name=TRAIL.arn)["IsLogging"] is True
    simulator.service.trails[TRAIL.arn] = replace(TRAIL, is_logging=False)
    assert client(simulator).get_trail_status(Name=TRAIL.arn)["IsLogging"] is False


def test_the_keys_are_those_of_the_region(simulator: Simulator) -> None:
    """Each in DER form with its fingerprint and validity; without a range of time, the current one."""
    for region in ("us-east-1", "eu-west-1"):
        (listed,) = client(simulator, region).list_public_keys(StartTime=FIRST, EndTime=LAST)["PublicKeyList"]
        key = KEYS.at(region, int(FIRST.timestamp()))
        assert (listed["Value"], listed["Fingerprint"]) == (key.public, key.fingerprint)
        assert listed["ValidityStartTime"] <= FIRST < LAST < listed["ValidityEndTime"]
        assert client(simulator, region).list_public_keys()["PublicKeyList"] == [listed]
    years = client(simulator).list_public_keys(StartTime=FIRST - timedelta(days=365), EndTime=LAST)
    assert len({key["Fingerprint"] for key in years["PublicKeyList"]}) == 3
    wrong = {"StartTime": LAST, "EndTime": FIRST}
    assert code_of(client(simulator).list_public_keys, **wrong) == "InvalidTimeRangeException"


def test_a_fault_can_strike_one_operation_only(simulator: Simulator) -> None:
    """A caller that may read events may lack the right to list keys. A broken connection gives no answer."""
    simulator.service.faults.add(Fault(FaultKind.ACCESS_DENIED, operation="ListPublicKeys"))
    with pytest.raises(ClientError, match="not authorized to perform: cloudtrail:ListPublicKeys"):
        client(simulator).list_public_keys()
    assert client(simulator).describe_trails()["trailList"]
    assert client(simulator).lookup_events()["Events"]
    simulator.service.faults.add(Fault(FaultKind.RESET, count=1, operation="GetTrail"))
    with pytest.raises(ConnectionClosedError):
        client(simulator).get_trail(Name=TRAIL.name)
    assert client(simulator).get_trail(Name=TRAIL.name)


def test_an_unknown_access_key_is_rejected(clock: ManualClock) -> None:
    """As for LookupEvents."""
    with Simulator(quick(default_account=None, trails=(TRAIL,)), clock) as simulator:
        assert code_of(client(simulator).describe_trails) == "UnrecognizedClientException"


def test_the_operations_are_counted(simulator: Simulator) -> None:
    """Requests of LookupEvents have counts of their own, to which the others do not add."""
    client(simulator).describe_trails()
    client(simulator).lookup_events()
    assert control(simulator, "GET", "operations") == {"DescribeTrails": 1, "LookupEvents": 1}
    assert control(simulator, "GET", "statistics")["us-east-1"]["calls"] == 1


def test_trails_are_added_over_http(simulator: Simulator) -> None:
    """For a simulator in another process than the writer."""
    assert control(simulator, "DELETE", "trails") == []
    assert client(simulator).describe_trails()["trailList"] == []
    assert control(simulator, "POST", "trails", asdict(TRAIL)) == [asdict(TRAIL)]
    assert client(simulator).get_trail(Name=TRAIL.name)["Trail"]["S3BucketName"] == TRAIL.bucket
    with pytest.raises(urllib.error.HTTPError, match="400"):
        control(simulator, "POST", "trails", {"name": "without a bucket"})


def control(simulator: Simulator, method: str, path: str, body: Any = None) -> Any:
    """Return the answer of the control interface."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"{simulator.endpoint_url}/_control/{path}", data, method=method)
    with urllib.request.urlopen(request) as answer:
        return json.loads(answer.read())


def test_times_are_whole_seconds_in_utc(simulator: Simulator) -> None:
    """boto3 reads the validity of a key as a time with a zone."""
    (key,) = client(simulator).list_public_keys()["PublicKeyList"]
    assert key["ValidityStartTime"] == datetime.fromtimestamp(
        KEYS.at("us-east-1", int(FIRST.timestamp())).start, UTC
    )
