"""ListAccounts and DescribeRegions for boto3, and the events of each account."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import orjson
import pytest

from devstack.simulator import DEFAULT_ACCOUNT, REGIONS, ManualClock, Member, Role, Simulator, make_members
from devstack.simulator.__main__ import main
from tests.simulator.lookups import FIRST, LAST, ids, look_up, quick
from tests.simulator.organizations import MEMBERS, OTHER, QUIET, ROLE, assume, client_of, control, error_of


@pytest.fixture
def simulator(clock: ManualClock) -> Iterator[Simulator]:
    with Simulator(quick(members=MEMBERS), clock) as running:
        yield running


def test_accounts_are_listed_with_their_states(simulator: Simulator) -> None:
    """The management account is a member, too. `Status` is retired since 9 September 2026."""
    listed = client_of(simulator, "organizations").list_accounts()["Accounts"]
    assert [(one["Id"], one["Name"], one["State"]) for one in listed] == [
        (DEFAULT_ACCOUNT, "Management", "ACTIVE"),
        (OTHER, "Orders", "ACTIVE"),
        (QUIET, "Archive", "ACTIVE"),
        ("777788889999", "Closed", "SUSPENDED"),
    ]
    assert all("Status" not in one for one in listed)
    assert listed[1]["Email"] == "orders@example.com"
    assert listed[1]["Arn"] == f"arn:aws:organizations::{DEFAULT_ACCOUNT}:account/o-exampleorgid/{OTHER}"


def test_accounts_are_paged(clock: ManualClock) -> None:
    """At most 20 a page; botocore's paginator follows the tokens."""
    members = tuple(Member(f"{number:012}") for number in range(45))
    with Simulator(quick(members=members), clock) as simulator:
        organizations = client_of(simulator, "organizations")
        pages = [len(page["Accounts"]) for page in organizations.get_paginator("list_accounts").paginate()]
        assert pages == [20, 20, 6]
        first = organizations.list_accounts(MaxResults=7)
        second = organizations.list_accounts(MaxResults=7, NextToken=first["NextToken"])
        known = [one["Id"] for page in (first, second) for one in page["Accounts"]]
        assert len(set(known)) == 14
        for wrong in ("no token", "YWNjb3VudHMgZnJvbSBh"):
            assert error_of(organizations.list_accounts, NextToken=wrong)[0] == "InvalidInputException"


def test_only_the_management_account_and_administrators_list_accounts(clock: ManualClock) -> None:
    """A member account gets AWS's message."""
    with Simulator(quick(members=MEMBERS), clock) as simulator:
        member = client_of(simulator, "organizations", assume(simulator))
        assert error_of(member.list_accounts)[:2] == (
            "AccessDeniedException",
            "You don't have permissions to access this resource.",
        )
    with Simulator(quick(members=MEMBERS, administrators=(OTHER,)), clock) as simulator:
        assert client_of(simulator, "organizations", assume(simulator)).list_accounts()["Accounts"]


def test_without_members_there_is_no_organization(clock: ManualClock) -> None:
    """As for an account that never joined one."""
    with Simulator(quick(), clock) as simulator:
        organizations = client_of(simulator, "organizations")
        assert error_of(organizations.list_accounts)[0] == "AWSOrganizationsNotInUseException"
        assert error_of(organizations.list_roots)[0] == "UnknownOperationException"


def test_each_account_has_its_own_regions(simulator: Simulator) -> None:
    """A region that the account has not enabled rejects its credentials."""
    session = assume(simulator)
    listed = client_of(simulator, "ec2", session).describe_regions()["Regions"]
    assert [one["RegionName"] for one in listed] == ["us-east-1", "eu-west-1"]
    own = client_of(simulator, "ec2").describe_regions(AllRegions=False)["Regions"]
    assert [one["RegionName"] for one in own] == list(REGIONS)
    assert client_of(simulator, "cloudtrail", session, "eu-west-1").lookup_events()
    elsewhere = client_of(simulator, "cloudtrail", session, "eu-west-2")
    assert error_of(elsewhere.lookup_events)[0] == "UnrecognizedClientException"


def test_regions_that_are_not_enabled_are_listed_on_request(simulator: Simulator) -> None:
    """With their opt-in status; named regions alone; an unknown name and filters are rejected."""
    ec2 = client_of(simulator, "ec2")
    states = {one["RegionName"]: one["OptInStatus"] for one in ec2.describe_regions(AllRegions=True)["Regions"]}
    assert (states["us-east-1"], states["af-south-1"]) == ("opt-in-not-required", "not-opted-in")
    (one,) = ec2.describe_regions(RegionNames=["eu-west-1"])["Regions"]
    assert one["Endpoint"] == "ec2.eu-west-1.amazonaws.com"
    wrong = {"Filters": [{"Name": "region-name", "Values": ["x"]}]}
    assert error_of(ec2.describe_regions, **wrong)[0] == "InvalidParameterValue"
    assert error_of(ec2.describe_regions, RegionNames=["xx-1"])[0] == "InvalidParameterValue"
    assert error_of(ec2.describe_vpcs)[0] == "InvalidAction"


def test_an_account_can_have_few_events_and_its_own_busy_region(simulator: Simulator) -> None:
    """`activity` and `shares` of an account; the truth is the simulator's own list."""
    external = {"ExternalId": "id-1"}
    session = assume(simulator, f"arn:aws:iam::{QUIET}:role/{ROLE}", **external)
    found = look_up(client_of(simulator, "cloudtrail", session, "eu-west-1"))
    assert 0 < len(found) < 10
    assert ids(found) == simulator.truth("eu-west-1", FIRST, LAST, QUIET)
    assert look_up(client_of(simulator, "cloudtrail", session, "us-east-1")) == []
    busy = look_up(client_of(simulator, "cloudtrail", assume(simulator)))
    assert len(busy) > 200


def test_the_process_reads_the_organization_from_a_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A wrong file ends the process with a message; a good one is read as `Member.read` does."""
    body = {"id": OTHER, "roles": [{"name": ROLE, "trusted": [DEFAULT_ACCOUNT]}], "regions": ["eu-west-1"]}
    assert Member.read(body) == Member(OTHER, roles=(Role(ROLE),), regions=("eu-west-1",))
    for wrong in ([{"id": "1"}], [{"number": 1}], ["text"], {"id": OTHER}):
        file = tmp_path / "accounts.json"
        file.write_bytes(orjson.dumps(wrong))
        assert main(["--organization", str(file)]) == 1
        assert capsys.readouterr().err.startswith("simulator: ")


def test_made_accounts_are_the_same_in_every_process(clock: ManualClock) -> None:
    """Ids of twelve digits, all different; the first ones are busy, the others have next to no events."""
    members = make_members(30, Role(ROLE), busy=1)
    assert members == make_members(30, Role(ROLE), busy=1)
    others = make_members(30, Role(ROLE), seed=2)
    assert len({member.id for member in (*members, *others)}) == 60
    with Simulator(quick(members=members), clock) as simulator:
        counts = [len(simulator.truth("us-east-1", FIRST, LAST, member.id)) for member in members]
    assert counts[0] > 200
    assert max(counts[1:]) <= 2


def test_the_accounts_are_listed_over_http(simulator: Simulator) -> None:
    """With their roles, as the file has them."""
    listed = control(simulator, "GET", "accounts")
    assert [Member.read(one) for one in listed[1:]] == list(MEMBERS)
