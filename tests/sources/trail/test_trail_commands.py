"""The commands for a trail's bucket: the report, the table, what is named, and the exit status."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cloudtrail_elasticsearch import cli_trail
from cloudtrail_elasticsearch.cli import main
from cloudtrail_elasticsearch.sinks import connect
from devstack.fake_s3 import objects
from devstack.fake_s3.listing import render_listing
from devstack.simulator.trails import Stop, Switches, tampering
from tests.core.test_load import Server
from tests.sources.trail.local_trail import DAY, LocalTrail, SimulatedKeys, local_trail

Capture = pytest.CaptureFixture[str]


@pytest.fixture
def trail(monkeypatch: pytest.MonkeyPatch) -> Iterator[LocalTrail]:
    with local_trail() as running:
        use(running, monkeypatch)
        yield running


def use(trail: LocalTrail, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", trail.s3.endpoint_url)
    monkeypatch.setattr(cli_trail, "FetchedKeys", lambda _: SimulatedKeys(trail.plan.keys))


def verify(capture: Capture, *options: str) -> tuple[int, list[str]]:
    status = main(["verify-trail", "s3://trail", "--prefix", "audit", f"--from={DAY}", f"--to={DAY}", *options])
    return status, capture.readouterr().out.splitlines()


def load(capture: Capture, monkeypatch: pytest.MonkeyPatch, *options: str) -> tuple[int, dict[str, Any], Server]:
    server = Server()
    monkeypatch.setattr(connect, "connect", lambda _: server)
    days = (f"--from={DAY}", f"--to={DAY}", "--url=http://server")
    status = main(["load", "s3://trail/audit", *days, *options])
    printed = capture.readouterr().out
    return status, json.loads(printed) if printed else {}, server


def test_an_intact_trail_is_proven(trail: LocalTrail, capsys: Capture) -> None:
    """The table has a row for each account and region, and nothing is named."""
    status, lines = verify(capsys)
    assert status == 0
    assert lines[0].split() == [
        *("account", "region", "days", "files", "signed", "unsigned", "pending", "gap", "invalid", "failed")
    ]
    rows = [line.split() for line in lines[1:]]
    assert [tuple(row[:2]) for row in rows] == [(each.account, each.region) for each in trail.regions()]
    assert all(row[2] == row[4] == "1" for row in rows)
    assert sum(int(row[3]) for row in rows) == sum(file.day == DAY for file in trail.written.log_files)


def test_every_object_that_is_not_proven_is_named(trail: LocalTrail, capsys: Capture) -> None:
    keys = [file.key for file in trail.files()]
    altered = tampering.change_event(trail.objects, keys[0])
    gone = tampering.delete(trail.objects, keys[1])
    extra = tampering.copy_log_file(trail.objects, keys[2])
    misnamed = f"{keys[3].rpartition('/')[0]}/notes.txt"
    trail.objects.put(misnamed, b"", {})
    status, lines = verify(capsys)
    assert status == 1
    named = [line for line in lines if "audit/AWSLogs" in line]
    assert len(named) == 4
    for kind, key in (
        ("altered_file", altered),
        ("missing_file", gone),
        ("unlisted_file", extra),
        ("misnamed", misnamed),
    ):
        assert any(f"{kind}: {key}: " in line for line in named)
    region = trail.region()
    assert all(line.startswith(f"{region.account} {region.region} {DAY}: ") for line in named)


def test_the_log_files_of_a_trail_without_validation_are_named_as_unsigned(
    trail: LocalTrail, capsys: Capture
) -> None:
    for key in [key for key in trail.objects.objects if "CloudTrail-Digest" in key]:
        trail.objects.delete(key)
    region = trail.region()
    status, lines = verify(capsys, "--account", region.account, "--region", region.region)
    assert status == 1
    assert {line.partition("unsigned: ")[2] for line in lines if "unsigned: " in line} == {
        f"s3://trail/{file.key}" for file in trail.files()
    }


def test_options_choose_the_windows(trail: LocalTrail, capsys: Capture) -> None:
    region = trail.region(1)
    _, lines = verify(capsys, "--account", region.account, "--region", region.region)
    assert [line.split()[:2] for line in lines[1:]] == [[region.account, region.region]]


@pytest.mark.promise("nothing-lost")
def test_a_trail_is_loaded_with_its_proof(
    trail: LocalTrail, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    status, report, server = load(capsys, monkeypatch, "--verify-digests")
    wanted = {event_id for file in trail.written.log_files if file.day == DAY for event_id in file.event_ids}
    assert status == 0
    assert {identifier for index, identifier in server.documents if index.startswith("cloudtrail-20")} == wanted
    assert (report["read"], report["indexed"], report["duplicates"], report["quarantined"]) == (
        len(wanted),
        len(wanted),
        0,
        0,
    )
    assert report["seconds"] > 0
    assert report["proofs"] == {"signed": len(trail.regions())}
    assert [(each["account"], each["region"]) for each in report["windows"]] == [
        (each.account, each.region) for each in trail.regions()
    ]
    assert sum(each["files"] for each in report["windows"]) == sum(
        file.day == DAY for file in trail.written.log_files
    )
    assert all(each["proof"] == "signed" and not each["problem"] for each in report["windows"])


def test_rules_leave_events_out_of_each_window(
    trail: LocalTrail, capsys: Capture, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The report has their number by rule, in all and for each window."""
    rules = tmp_path / "rules.yaml"
    rules.write_text("rules: [{name: reads, why: a test, do: leave-out, events: {read_only: true}}]")
    status, report, server = load(capsys, monkeypatch, "--rules", str(rules))
    assert (status, report["left_out_by"]) == (0, {"reads": report["left_out"]})
    assert report["read"] == report["indexed"] + report["left_out"] > report["indexed"] > 0
    windows = report["windows"]
    assert sum(each["left_out"] for each in windows) == report["left_out"]
    assert all(each["left_out_by"] == {"reads": each["left_out"]} for each in windows if each["left_out"])
    events = [each for (index, _), each in server.documents.items() if index.startswith("cloudtrail-20")]
    assert len(events) == report["indexed"]
    assert not any(each.get("readOnly") is True for each in events)


def test_without_verification_no_digest_is_read(
    trail: LocalTrail, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = trail.s3.requests.as_json().get("get", 0)
    status, report, _ = load(capsys, monkeypatch)
    assert status == 0
    assert report["proofs"] == {"not verified": len(trail.regions())}
    files = sum(each["files"] for each in report["windows"])
    assert trail.s3.requests.as_json()["get"] - before == files


def test_a_tampered_log_file_fails_its_window_and_the_others_are_loaded(
    trail: LocalTrail, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = tampering.remove_event(trail.objects, trail.files()[0].key)
    status, report, _ = load(capsys, monkeypatch, "--verify-digests")
    assert status == 1
    (failed,) = [each for each in report["windows"] if each["problem"]]
    assert failed["findings"] == [
        {"kind": "altered_file", "key": key, "reason": "a digest lists it, but its content has another hash"}
    ]
    assert key in failed["problem"]
    assert report["proofs"] == {"invalid": 1, "signed": len(trail.regions()) - 1}


START = int(datetime(DAY.year, DAY.month, DAY.day, tzinfo=UTC).timestamp())
HOUR = 3600
STOPPED = Switches(slow=0.0, stops=(Stop(START + 9 * HOUR, START + 10 * HOUR),))
BEGUN = Switches(slow=0.0, stops=(Stop(START, START + 9 * HOUR),))
"""The trail is created at nine."""


@pytest.mark.promise("proven-by-aws")
@pytest.mark.parametrize(
    ("switches", "proof", "kind", "status"),
    [(STOPPED, "gap", "uncovered", 1), (BEGUN, "unsigned", "validation_off", 0)],
)
def test_both_commands_and_the_cells_fail_for_the_same_proofs(
    capsys: Capture, monkeypatch: pytest.MonkeyPatch, switches: Switches, proof: str, kind: str, status: int
) -> None:
    """For an hour without a digest, but not for the day on which a trail begins."""
    with local_trail(switches) as trail:
        use(trail, monkeypatch)
        verified, lines = verify(capsys)
        loaded, report, _ = load(capsys, monkeypatch, "--verify-digests")
        manifests = [trail.list_window(region) for region in trail.regions()]
    assert (verified, loaded) == (status, status)
    assert report["proofs"] == {proof: len(manifests)}
    assert sum(f": {kind}: no digest of the trail" in line for line in lines) == len(manifests)
    assert all((f"{kind}: " in (each["problem"] or "")) == bool(status) for each in report["windows"])
    assert all(manifest.proof == proof for manifest in manifests)


@pytest.mark.promise("closed")
def test_only_folders_below_awslogs_are_listed(trail: LocalTrail, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bucket's policy may allow no more."""
    listed = []

    def render(name: str, bucket: Any, query: dict[str, str]) -> str:
        listed.append(query["prefix"])
        return render_listing(name, bucket, query)

    monkeypatch.setattr(objects, "render_listing", render)
    for place in ("s3://trail/audit", "s3://trail/audit/AWSLogs", "s3://trail/audit/AWSLogs/o-exampleorgid/"):
        assert main(["verify-trail", place, f"--from={DAY}", f"--to={DAY}"]) == 0
    assert all(prefix.startswith("audit/AWSLogs/") for prefix in listed)
    assert len(listed) > 10


def test_repeated_events_are_duplicates_in_the_report(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    with local_trail(Switches(slow=0.0, duplicates=0.3)) as trail:
        use(trail, monkeypatch)
        status, report, _ = load(capsys, monkeypatch)
        delivered = [one for file in trail.written.log_files if file.day == DAY for one in file.event_ids]
        assert status == 0
        assert report["read"] == len(delivered)
        assert report["duplicates"] == len(delivered) - len(set(delivered))


def test_kinds_can_be_chosen(trail: LocalTrail, capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    """The proof is about the chosen log files only."""
    options = ("--kind", "CloudTrail-Insight", "--verify-digests")
    status, report, server = load(capsys, monkeypatch, *options)
    assert (status, report["proofs"]) == (0, {"signed": len(trail.regions())})
    insights = {
        event_id
        for file in trail.written.log_files
        if file.day == DAY and file.kind == "CloudTrail-Insight"
        for event_id in file.event_ids
    }
    assert report["read"] == len(insights) > 0
    assert {identifier for index, identifier in server.documents if index.startswith("cloudtrail-20")} == insights


@pytest.mark.parametrize(
    ("command", "words"),
    [
        (["verify-trail", "trail"], "not the address of a bucket"),
        (["verify-trail", "s3://other"], "bucket other does not exist"),
        (["verify-trail", "s3://trail"], "no log files below s3://trail/AWSLogs/"),
        (
            ["verify-trail", "s3://trail/audit", "--from=2026-11-21", "--to=2026-11-20"],
            "There are no days to read",
        ),
        (["verify-trail", "s3://trail/audit", "--from=yesterday"], "--from is 'yesterday'"),
        (["verify-trail", "s3://trail/audit", "--account=1"], "of the chosen accounts and regions"),
        (["load", "s3://trail/audit", "other.json", "--url=http://server"], "A trail's bucket is loaded alone"),
        (["load", "other.json", "--url=http://server", "--verify-digests"], "need s3://BUCKET as the only FILE"),
        (["load", "other.json", "--url=http://server", "--from=2026-11-20"], "need s3://BUCKET as the only FILE"),
    ],
)
def test_a_wrong_argument_is_named(trail: LocalTrail, capsys: Capture, command: list[str], words: str) -> None:
    assert trail.s3.endpoint_url
    assert main(command) == 2
    assert words in capsys.readouterr().err


def test_the_days_default_to_all_that_the_bucket_has(trail: LocalTrail, capsys: Capture) -> None:
    region = trail.region()
    main(["verify-trail", "s3://trail/audit/", "--to=2026-11-21", f"--region={region.region}"])
    rows = [line.split() for line in capsys.readouterr().out.splitlines()[-2:]]
    assert [row[2] for row in rows] == ["2", "2"]
