"""The plan of a trail's day from its bucket, and the windows of its batches."""

from __future__ import annotations

from datetime import timedelta

import pytest

from cloudtrail_elasticsearch.core.coverage import batches
from cloudtrail_elasticsearch.core.coverage.findings import FindingKind, ProofStatus
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.errors import PlanError
from cloudtrail_elasticsearch.pipeline.trail_plan import DayPlan, plan_days
from cloudtrail_elasticsearch.sources.trail.layout import TrailName
from cloudtrail_elasticsearch.sources.trail.listing import Selection, find_top_folder
from cloudtrail_elasticsearch.sources.trail.prove import list_window
from cloudtrail_elasticsearch.sources.trail.settings import TrailSettings, find_home_region
from devstack.simulator.trails import tampering
from tests.sources.trail.local_trail import DAY, NAME, REGIONS, LocalTrail, local_trail

SETTINGS = TrailSettings(TrailName("organization", "us-east-1"), NAME, "audit", True, True, True)


def plan(trail: LocalTrail, selection: Selection | None = None, settings: TrailSettings | None = None) -> DayPlan:
    (made,) = plan_days(trail.bucket, "audit", [DAY], 16, selection or Selection(), settings)
    return made


def windows(made: DayPlan) -> list[Window]:
    return [each.window for number in range(len(made.batches)) for each in made.windows(number)]


@pytest.mark.promise("nothing-lost")
def test_every_account_and_region_of_the_bucket_is_planned() -> None:
    """With the number and the size of the day's log files, by listing alone."""
    with local_trail() as trail:
        made = plan(trail)
        assert {(each.account, each.region) for each in windows(made)} == set(trail.plan.cells())
        assert all(each.is_day for each in windows(made))
        files = [file for file in trail.written.log_files if file.day == DAY]
        assert sum(batch.files for batch in made.batches) == len(files)
        assert sum(batch.bytes for batch in made.batches) == sum(file.size for file in files)
        assert trail.s3.requests.as_json().get("get", 0) == 0
        assert made.list_regions() == {account: sorted(REGIONS) for account in sorted(trail.plan.accounts)}
        assert (made.is_whole, made.trail) == (True, None)
        assert DayPlan.decode(made.encode()) == made


def test_a_trail_that_is_known_has_its_name_in_the_plan() -> None:
    """If it validates log files, so that a region without any digest has a gap."""
    with local_trail() as trail:
        assert plan(trail, settings=SETTINGS).trail == TrailName("organization", "us-east-1")
        other = TrailSettings(TrailName("own", "us-east-1"), NAME, "audit", False, True, True)
        with pytest.raises(PlanError, match="The trail own has delivered nothing to trail yet"):
            plan(trail, settings=other)


def test_a_plan_can_leave_accounts_out() -> None:
    """It is still whole for the others, and an account that is not in the bucket can be left out, too."""
    with local_trail() as trail:
        first, second = trail.plan.accounts
        made = plan(trail, Selection([f"-{first}", "-999988887777"]))
        assert {each.account for each in windows(made)} == {second}
        assert made.is_whole


def test_a_selection_narrows_the_plan_and_unknown_names_are_reported() -> None:
    """A plan without some regions or kinds is not whole."""
    with local_trail() as trail:
        account = trail.plan.accounts[1]
        made = plan(trail, Selection([account], ["us-east-1"], ["CloudTrail"]))
        (window,) = windows(made)
        assert (window.account, window.region) == (account, "us-east-1")
        assert (made.is_whole, made.kinds) == (False, ("CloudTrail",))
        assert plan(trail, Selection([account])).is_whole
        for selection, words in (
            (Selection(["999988887777"]), "accounts: 999988887777"),
            (Selection(regions=["eu-south-9"]), "regions: eu-south-9"),
            (Selection(kinds=["CloudTrail-Other"]), "kinds: CloudTrail-Other"),
        ):
            with pytest.raises(PlanError, match=words):
                plan(trail, selection)


@pytest.mark.promise("nothing-lost", "proven-by-aws")
def test_the_parts_of_a_day_have_each_log_file_once_and_are_signed(monkeypatch: pytest.MonkeyPatch) -> None:
    """An object with another name is reported with the first part alone."""
    monkeypatch.setattr(batches, "PIECE_SECONDS", 0.06)
    monkeypatch.setattr(batches, "TASK_SECONDS", 0.01)
    with local_trail() as trail:
        made = plan(trail)
        asked = [each for number in range(len(made.batches)) for each in made.windows(number)]
        assert all(each.window.length < timedelta(days=1) for each in asked)
        manifests = [list_window(trail.bucket, each.region, each.window, trail.prover) for each in asked]
        keys = [file.key for manifest in manifests for file in manifest.files]
        assert sorted(keys) == sorted(file.key for file in trail.written.log_files if file.day == DAY)
        assert {manifest.proof for manifest in manifests} == {ProofStatus.SIGNED}

        first = asked[0].region
        folder = first.root.day_folder(first.account, "CloudTrail", first.region, DAY)
        trail.objects.put(f"{folder}notes.txt", b"", {})
        named = [
            finding.kind
            for each in asked
            if each.region == first
            for finding in list_window(trail.bucket, each.region, each.window, trail.prover).findings
        ]
        assert named == [FindingKind.MISNAMED]


@pytest.mark.promise("proven-by-aws")
def test_a_deleted_log_file_is_missing_in_the_part_of_its_hour() -> None:
    with local_trail() as trail:
        region = trail.region()
        gone = next(file for file in trail.files() if "T13" in file.key)
        tampering.delete(trail.objects, gone.key)
        day = region.window(DAY)
        found = {}
        for hour in range(24):
            start = day.start + timedelta(hours=hour)
            part = Window(day.account, day.region, start, start + timedelta(hours=1), day.source)
            found[hour] = list_window(trail.bucket, region, part, trail.prover).findings
        assert {hour for hour, findings in found.items() if findings} == {13}
        assert [finding.key for finding in found[13]] == [gone.key]


def test_the_home_region_is_in_the_arn() -> None:
    """Another text is reported with an example."""
    assert find_home_region("arn:aws-us-gov:cloudtrail:us-gov-west-1:123456789012:trail/x") == "us-gov-west-1"
    with pytest.raises(PlanError, match="not the ARN of a trail"):
        find_home_region("organization")


@pytest.mark.parametrize(
    ("prefix", "folder"),
    [
        ("", "AWSLogs/"),
        ("audit", "audit/AWSLogs/"),
        ("/audit/", "audit/AWSLogs/"),
        ("AWSLogs", "AWSLogs/"),
        ("audit/AWSLogs/o-exampleorgid/", "audit/AWSLogs/o-exampleorgid/"),
    ],
)
def test_the_top_folder_of_a_prefix(prefix: str, folder: str) -> None:
    """The one folder that a least-privileged role may list."""
    assert find_top_folder(prefix) == folder
