"""Listing a trail's bucket: what is found, what is ignored, and how many calls it takes."""

from __future__ import annotations

from datetime import date, timedelta

import pytest

from cloudtrail_elasticsearch.core.errors import ConfigurationError
from cloudtrail_elasticsearch.sources.trail.layout import TrailRoot
from cloudtrail_elasticsearch.sources.trail.listing import (
    Selection,
    find_first_day,
    find_regions,
    find_roots,
    list_log_files,
    list_many_windows,
)
from devstack.simulator.trails.foreign import write_foreign_objects
from tests.sources.trail.local_trail import DAY, REGIONS, ROOT, TRAIL, local_trail

KINDS = ("CloudTrail", "CloudTrail-Aggregated", "CloudTrail-Insight", "CloudTrail-NetworkActivity")


def test_accounts_regions_and_kinds_are_found() -> None:
    with local_trail() as trail:
        assert find_roots(trail.bucket, "audit") == [ROOT]
        found = trail.regions()
        assert [(each.account, each.region) for each in found] == sorted(
            (account, region) for account in trail.plan.accounts for region in REGIONS
        )
        assert all(each.has_digests and each.root == ROOT for each in found)
        assert {kind for each in found for kind in each.kinds} == set(KINDS)


@pytest.mark.parametrize("prefix", ["audit", "/audit/", "audit/AWSLogs", "audit/AWSLogs/o-exampleorgid/"])
def test_a_prefix_may_reach_into_the_folders_of_the_trail(prefix: str) -> None:
    with local_trail() as trail:
        assert find_roots(trail.bucket, prefix) == [ROOT]


@pytest.mark.parametrize(
    ("prefix", "words"),
    [
        ("", "no log files below s3://trail/AWSLogs/"),
        ("audit/AWSLogs/o-exampleorgid/123456789012", "inside of a trail's folders"),
    ],
)
def test_a_wrong_prefix_is_named(prefix: str, words: str) -> None:
    with local_trail() as trail, pytest.raises(ConfigurationError, match=words):
        find_roots(trail.bucket, prefix)


def test_a_trail_of_single_accounts_beside_an_organization_is_found() -> None:
    with local_trail() as trail:
        trail.objects.put("audit/AWSLogs/999988887777/CloudTrail/us-east-1/x", b"", {})
        trail.objects.put("audit/AWSLogs/Config/x", b"", {})
        assert find_roots(trail.bucket, "audit") == [TrailRoot("audit"), ROOT]


def test_a_selection_narrows_accounts_regions_and_kinds() -> None:
    with local_trail() as trail:
        account = trail.plan.accounts[1]
        selection = Selection([account], ["us-east-1"], ["CloudTrail"])
        (found,) = find_regions(trail.bucket, [ROOT], selection)
        assert (found.account, found.region, found.kinds) == (account, "us-east-1", ("CloudTrail",))
        assert found.has_digests


def test_accounts_can_be_left_out() -> None:
    """Such as one that left the organization, whose days have no digests any more."""
    with local_trail() as trail:
        first, second = trail.plan.accounts
        for accounts, left in (
            ([f"-{first}"], {second}),
            ([f"-{first}", f"-{second}"], set()),
            ([first, second, f"-{second}"], {first}),
        ):
            found = find_regions(trail.bucket, [ROOT], Selection(accounts))
            assert {each.account for each in found} == left


def test_a_window_has_exactly_the_log_files_of_its_day() -> None:
    with local_trail() as trail:
        listed = [list_log_files(trail.bucket, region, region.window(DAY)) for region in trail.regions()]
        wanted = sorted(file.key for file in trail.written.log_files if file.day == DAY)
        assert sorted(file.key for window in listed for file in window.files) == wanted
        sizes = {file.key: file.size for file in trail.written.log_files}
        assert all(file.size == sizes[file.key] for window in listed for file in window.files)
        assert not any(window.misnamed for window in listed)


def test_objects_of_others_are_ignored_except_in_the_folders_of_a_day() -> None:
    """An object beside log files that is none of them is named."""
    with local_trail() as trail:
        region = trail.region()
        before = list_log_files(trail.bucket, region, region.window(DAY))
        write_foreign_objects(trail.objects, TRAIL, region.account, region.region, DAY)
        after = list_log_files(trail.bucket, region, region.window(DAY))
        assert after.files == before.files
        assert [each.key.rpartition("/")[2] for each in after.misnamed] == ["notes.txt"]
        assert [each.region for each in trail.regions() if each.account == region.account] == list(REGIONS)


ODD = ("0", "0000", "0001/01/01", "2019/13/40", "2019/02/30", "1999/01/01", "٢٠٢٠/01/01", "2020", "x")
"""Folders in the place of a year that CloudTrail does not make."""


@pytest.mark.promise("nothing-lost")
def test_folders_of_others_do_not_hide_the_first_day() -> None:
    """Else all days before yesterday would be left out, and called proven; or centuries would be listed."""
    with local_trail() as trail:
        for region in trail.regions():
            for kind in (*region.kinds, "CloudTrail-Digest"):
                folder = ROOT.region_folder(region.account, kind, region.region)
                for number, odd in enumerate(ODD):
                    trail.objects.put(f"{folder}{odd}/{number}", b"", {})
        assert find_first_day(trail.bucket, trail.regions()) == DAY


def test_folders_of_others_beside_the_regions_are_no_regions() -> None:
    """Such as results of queries; a folder without a name, too."""
    with local_trail() as trail:
        before = trail.regions()
        for name in ("athena-results", "", "us-east-1 ", "US-EAST-1", "us-east-1\n", "unsaved/2026/11/20"):
            trail.objects.put(f"{ROOT.kind_folder(before[0].account, 'CloudTrail')}{name}/x", b"", {})
        trail.objects.put(f"{ROOT.folder}/CloudTrail/us-east-1/x", b"", {})
        trail.objects.put(f"{ROOT.account_folder(before[0].account)}/CloudTrail/us-east-1/x", b"", {})
        assert trail.regions() == before


def test_the_number_of_calls_grows_with_accounts_kinds_and_windows_only() -> None:
    """One call for the root, one for each account, for each kind of an account, and for each day's folder."""
    with local_trail(latency=0.02) as trail:
        before = trail.s3.requests.as_json()["list"]
        regions = find_regions(trail.bucket, [ROOT])
        folders = len(trail.plan.accounts) * (len(KINDS) + 1)
        assert trail.s3.requests.as_json()["list"] - before == 1 + len(trail.plan.accounts) + folders
        before = trail.s3.requests.as_json()["list"]
        days = [DAY, DAY + timedelta(days=1)]
        windows = list(
            list_many_windows(trail.bucket, ((each, each.window(day)) for each in regions for day in days))
        )
        assert len(windows) == len(regions) * 2
        assert trail.s3.requests.as_json()["list"] - before == sum(2 * len(region.kinds) for region in regions)
        assert 4 <= trail.s3.requests.as_json()["most_at_once"] <= 33


def test_the_first_day_of_delivery_is_found() -> None:
    with local_trail() as trail:
        folder = "audit/AWSLogs/o-exampleorgid/999988887777/CloudTrail/us-east-1"
        assert find_first_day(trail.bucket, trail.regions()) == DAY
        trail.objects.put(f"{folder}/2024/02/29/x", b"", {})
        trail.objects.put(f"{folder}/2024/11/01/x", b"", {})
        assert find_first_day(trail.bucket, trail.regions()) == date(2024, 2, 29)
        assert find_first_day(trail.bucket, []) is None
