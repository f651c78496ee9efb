"""AssumeRole and GetCallerIdentity for boto3, and botocore's own provider of a role's credentials."""

from __future__ import annotations

import urllib.error
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from devstack.simulator import DEFAULT_ACCOUNT, Fault, FaultKind, ManualClock, Member, Role, Simulator
from tests.simulator.lookups import NOON, REGION, client, ids, look_up, quick
from tests.simulator.organizations import (
    MEMBERS,
    OTHER,
    QUIET,
    ROLE,
    ROLE_ARN,
    SESSION,
    WORKER_ARN,
    assume,
    client_of,
    control,
    error_of,
)


@pytest.fixture
def simulator(clock: ManualClock) -> Iterator[Simulator]:
    with Simulator(quick(members=MEMBERS), clock) as running:
        yield running


def test_a_session_belongs_to_the_account_of_the_role(simulator: Simulator) -> None:
    """Its ARN has the role's name without the path, as AWS writes it."""
    answer = client_of(simulator, "sts").assume_role(RoleArn=ROLE_ARN, RoleSessionName=SESSION)
    arn = f"arn:aws:sts::{OTHER}:assumed-role/audit/{SESSION}"
    assert answer["AssumedRoleUser"]["Arn"] == arn
    caller = client_of(simulator, "sts", answer["Credentials"]).get_caller_identity()
    assert (caller["Account"], caller["Arn"]) == (OTHER, arn)
    assert caller["UserId"] == answer["AssumedRoleUser"]["AssumedRoleId"]


def test_every_other_key_belongs_to_the_default_account(simulator: Simulator) -> None:
    """The worker's own identity is that of a user."""
    caller = client_of(simulator, "sts").get_caller_identity()
    assert (caller["Account"], caller["Arn"]) == (DEFAULT_ACCOUNT, WORKER_ARN)


def test_lookups_return_the_events_of_the_account_of_the_role(simulator: Simulator) -> None:
    """The worker's key finds none of them, and the session none of the worker's account."""
    found = look_up(client_of(simulator, "cloudtrail", assume(simulator)))
    own = look_up(client(simulator))
    assert found
    assert own
    assert set(ids(found)).isdisjoint(ids(own))
    assert all(f'"recipientAccountId":"{OTHER}"' in event["CloudTrailEvent"] for event in found)


@pytest.mark.parametrize(
    ("arn", "external_id"),
    [
        (f"arn:aws:iam::{OTHER}:role/missing", None),
        (f"arn:aws:iam::{OTHER}:role/audit", None),
        (f"arn:aws:iam::999999999999:role/{ROLE}", None),
        (f"arn:aws:iam::777788889999:role/{ROLE}", None),
        (f"arn:aws:iam::{QUIET}:role/{ROLE}", None),
        (f"arn:aws:iam::{QUIET}:role/{ROLE}", "id-2"),
    ],
    ids=["missing", "without its path", "no member", "suspended", "no external id", "another external id"],
)
def test_a_role_that_cannot_be_assumed_is_denied(simulator: Simulator, arn: str, external_id: str | None) -> None:
    """Always in the same words: AWS does not reveal whether the role exists."""
    more = {} if external_id is None else {"ExternalId": external_id}
    call = client_of(simulator, "sts").assume_role
    assert error_of(call, RoleArn=arn, RoleSessionName=SESSION, **more) == (
        "AccessDenied",
        f"User: {WORKER_ARN} is not authorized to perform: sts:AssumeRole on resource: {arn}",
        403,
    )


def test_the_right_external_id_opens_the_role(simulator: Simulator) -> None:
    """A role without one accepts any, as a trust policy without the condition does."""
    assert assume(simulator, f"arn:aws:iam::{QUIET}:role/{ROLE}", ExternalId="id-1")
    assert assume(simulator, ExternalId="any/id")


def test_a_role_trusts_only_the_named_accounts(clock: ManualClock) -> None:
    """The worker's account is not among them."""
    members = (Member(OTHER, roles=(Role(ROLE, trusted=("999999999999",)),)),)
    with Simulator(quick(members=members), clock) as simulator:
        call = client_of(simulator, "sts").assume_role
        assert error_of(call, RoleArn=ROLE_ARN, RoleSessionName=SESSION)[0] == "AccessDenied"


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({"RoleSessionName": "two words"}, "satisfy regular expression pattern"),
        ({"RoleSessionName": "x"}, "greater than or equal to 2"),
        ({"RoleSessionName": "x" * 65}, "less than or equal to 64"),
        ({"RoleArn": "arn:aws:s3:::some-bucket-name"}, "is invalid"),
        ({"RoleArn": "arn:aws"}, "greater than or equal to 20"),
        ({"DurationSeconds": 899}, "Value '899' at 'durationSeconds'"),
        ({"DurationSeconds": 43201}, "less than or equal to 43200"),
        ({"DurationSeconds": 7200}, "exceeds the MaxSessionDuration"),
        ({"ExternalId": "two words"}, "externalId"),
    ],
)
def test_parameters_are_checked(simulator: Simulator, changed: dict[str, Any], part: str) -> None:
    """botocore's own checks are off, so that the request is sent."""
    sts = boto3.client(
        "sts",
        endpoint_url=simulator.endpoint_url,
        region_name=REGION,
        aws_access_key_id="AKIAEXAMPLE",
        aws_secret_access_key="secret",
        config=Config(parameter_validation=False),
    )
    code, message, status = error_of(
        sts.assume_role, **{"RoleArn": ROLE_ARN, "RoleSessionName": SESSION, **changed}
    )
    assert (code, status) == ("ValidationError", 400)
    assert part in message


def test_a_session_lasts_as_long_as_asked(simulator: Simulator, clock: ManualClock) -> None:
    """An hour by default. Then each service answers with its own code."""
    assert assume(simulator, DurationSeconds=900)["Expiration"] == NOON + timedelta(seconds=900)
    session = assume(simulator)
    assert session["Expiration"] == NOON + timedelta(hours=1)
    clock.move(3599)
    assert client_of(simulator, "cloudtrail", session).lookup_events()["Events"]
    clock.move(1)
    expired = {
        "cloudtrail": error_of(client_of(simulator, "cloudtrail", session).lookup_events),
        "sts": error_of(client_of(simulator, "sts", session).get_caller_identity),
        "ec2": error_of(client_of(simulator, "ec2", session).describe_regions),
        "organizations": error_of(client_of(simulator, "organizations", session).list_accounts),
    }
    assert {service: (code, status) for service, (code, _, status) in expired.items()} == {
        "cloudtrail": ("ExpiredTokenException", 400),
        "sts": ("ExpiredToken", 403),
        "ec2": ("RequestExpired", 400),
        "organizations": ("ExpiredTokenException", 400),
    }


def test_expiration_is_the_end_of_a_short_session(clock: ManualClock) -> None:
    """Expiration is the time at which the session ends, also below the minimum of AWS."""
    members = (Member(OTHER, roles=(Role(ROLE, lifetime=5),)),)
    with Simulator(quick(members=members), clock) as simulator:
        session = assume(simulator)
        assert session["Expiration"] == NOON + timedelta(seconds=5)
        cloudtrail = client_of(simulator, "cloudtrail", session)
        clock.move(4)
        assert cloudtrail.lookup_events()["Events"]
        clock.move(1)
        assert error_of(cloudtrail.lookup_events)[0] == "ExpiredTokenException"


def test_a_wrong_token_is_rejected(simulator: Simulator) -> None:
    """A missing token, a broken one, and that of another session."""
    session = assume(simulator)
    for token in (None, "token", session["SessionToken"][:-4] + "AAAA", assume(simulator)["SessionToken"]):
        wrong = {**session, "SessionToken": token}
        assert (
            error_of(client_of(simulator, "cloudtrail", wrong).lookup_events)[0] == "UnrecognizedClientException"
        )
        assert error_of(client_of(simulator, "sts", wrong).get_caller_identity)[::2] == (
            "InvalidClientTokenId",
            403,
        )
        assert error_of(client_of(simulator, "ec2", wrong).describe_regions)[::2] == ("AuthFailure", 401)


def test_a_restarted_simulator_knows_its_sessions(simulator: Simulator, clock: ManualClock) -> None:
    """A worker's session outlives the simulator, and never becomes one of the default account."""
    session = assume(simulator)
    with Simulator(quick(members=MEMBERS), clock) as again:
        assert client_of(again, "sts", session).get_caller_identity()["Account"] == OTHER
    with Simulator(quick(members=MEMBERS, seed=2), clock) as other:
        assert client_of(other, "sts", session).get_caller_identity()["Account"] == DEFAULT_ACCOUNT


def test_a_role_without_a_permission_is_denied(clock: ManualClock) -> None:
    """Each service has its own code; the message names the action that is missing."""
    denied = ("cloudtrail:LookupEvents", "ec2:DescribeRegions")
    with Simulator(quick(members=(Member(OTHER, roles=(Role(ROLE, denied=denied),)),)), clock) as simulator:
        session = assume(simulator)
        code, message, _ = error_of(client_of(simulator, "cloudtrail", session).lookup_events)
        assert code == "AccessDeniedException"
        assert message.startswith(f"User: arn:aws:sts::{OTHER}:assumed-role/audit/{SESSION} is not authorized to")
        assert error_of(client_of(simulator, "ec2", session).describe_regions)[::2] == (
            "UnauthorizedOperation",
            403,
        )


def test_a_fault_can_strike_one_account_only(simulator: Simulator) -> None:
    """A fault without an operation does not strike the services beside CloudTrail."""
    simulator.service.faults.add(Fault(FaultKind.ACCESS_DENIED, account=OTHER))
    session = assume(simulator)
    assert error_of(client_of(simulator, "cloudtrail", session).lookup_events)[0] == "AccessDeniedException"
    assert client(simulator).lookup_events()["Events"]
    assert client_of(simulator, "ec2", session).describe_regions()["Regions"]
    simulator.service.faults.clear()
    simulator.service.faults.add(Fault(FaultKind.THROTTLE, operation="AssumeRole"))
    call = client_of(simulator, "sts").assume_role
    assert error_of(call, RoleArn=ROLE_ARN, RoleSessionName=SESSION)[0] == "Throttling"


def test_roles_come_and_go_over_http(simulator: Simulator) -> None:
    """A deleted role opens no session, and ends those that it has; a created one can be assumed at once."""
    session = assume(simulator)
    control(simulator, "DELETE", f"roles?account={OTHER}&name={ROLE}")
    call = client_of(simulator, "sts").assume_role
    assert error_of(call, RoleArn=ROLE_ARN, RoleSessionName=SESSION)[0] == "AccessDenied"
    assert error_of(client_of(simulator, "cloudtrail", session).lookup_events)[0] == "UnrecognizedClientException"
    role = {"account": OTHER, "name": ROLE, "external_id": "id-3", "trusted": [DEFAULT_ACCOUNT]}
    listed = control(simulator, "POST", "roles", role)
    assert next(one for one in listed if one["id"] == OTHER)["roles"][0]["external_id"] == "id-3"
    assert assume(simulator, ExternalId="id-3")
    for wrong in ({"account": "1", "name": "a"}, {"account": OTHER}, {"account": OTHER, "name": "a b"}):
        with pytest.raises(urllib.error.HTTPError, match="400"):
            control(simulator, "POST", "roles", wrong)


def test_sessions_expire_over_http(simulator: Simulator) -> None:
    """Those of one account or of all; a new session is valid."""
    session = assume(simulator)
    quiet = assume(simulator, f"arn:aws:iam::{QUIET}:role/{ROLE}", ExternalId="id-1")
    assert control(simulator, "DELETE", f"sessions?account={OTHER}") == [OTHER]
    assert error_of(client_of(simulator, "cloudtrail", session).lookup_events)[0] == "ExpiredTokenException"
    assert client_of(simulator, "sts", quiet).get_caller_identity()["Account"] == QUIET
    assert client_of(simulator, "cloudtrail", assume(simulator)).lookup_events()["Events"]
    control(simulator, "DELETE", "sessions")
    assert error_of(client_of(simulator, "sts", quiet).get_caller_identity)[0] == "ExpiredToken"
    statistics = simulator.service.statistics
    assert (statistics.accounts[OTHER].expired, statistics.accounts[QUIET].expired) == (1, 1)
    assert statistics.session_names == {SESSION: 3}


def test_the_requests_of_each_account_are_counted(clock: ManualClock) -> None:
    """Calls, throttled calls, events, and the sessions that were opened."""
    with Simulator(quick(members=MEMBERS, quota=2.0, burst=2), clock) as simulator:
        cloudtrail = client_of(simulator, "cloudtrail", assume(simulator))
        found = cloudtrail.lookup_events()["Events"]
        cloudtrail.lookup_events()
        assert error_of(cloudtrail.lookup_events)[0] == "ThrottlingException"
        assert client(simulator).lookup_events()["Events"]
        counts = control(simulator, "GET", "accounts/statistics")
        assert counts[OTHER] == {
            "calls": 3, "throttled": 1, "failed": 0, "events": 2 * len(found), "sessions": 1, "expired": 0,
        }  # fmt: skip
        assert (counts[DEFAULT_ACCOUNT]["calls"], counts[DEFAULT_ACCOUNT]["throttled"]) == (1, 0)
        assert control(simulator, "GET", "operations") == {"AssumeRole": 1, "LookupEvents": 4}


def test_botocores_own_provider_assumes_the_role_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A profile with a role: botocore opens a session, and a new one before the old one expires."""
    members = (Member(OTHER, roles=(Role(ROLE, external_id="id-1", lifetime=1),)),)
    with Simulator(quick(members=members)) as simulator:
        config = tmp_path / "config"
        config.write_text(
            f"[profile audit]\nrole_arn={ROLE_ARN}\ncredential_source=Environment\nexternal_id=id-1\n"
            f"role_session_name={SESSION}\nregion={REGION}\n"
        )
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
        monkeypatch.setenv("AWS_ENDPOINT_URL", simulator.endpoint_url)
        session = boto3.Session(profile_name="audit")
        assert session.client("sts").get_caller_identity()["Account"] == OTHER
        cloudtrail = session.client("cloudtrail")
        for _ in range(2):
            cloudtrail.lookup_events()
        assert simulator.service.statistics.accounts[OTHER].sessions >= 3
