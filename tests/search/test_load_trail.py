"""A trail's bucket loaded into real servers: from moto's S3, with its digests verified, killed and resumed."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import boto3
import pytest

from cloudtrail_elasticsearch import cli_trail
from cloudtrail_elasticsearch.cli import main
from cloudtrail_elasticsearch.core.coverage.cells import State
from cloudtrail_elasticsearch.core.coverage.ledger import Ledger
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.errors import RejectedRequestError
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.loading.loader import Loader, LoadSettings
from cloudtrail_elasticsearch.core.progress import InMemoryStore
from cloudtrail_elasticsearch.pipeline.trail import LoadedWindow, load_window
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from cloudtrail_elasticsearch.sources.trail.prove import keep_manifest
from cloudtrail_elasticsearch.staging import TrailManifest, TrailStaging
from devstack.simulator.trails import Switches, tampering
from tests.search.test_load_restart import Killed, Server
from tests.sources.trail.local_trail import DAY, LocalTrail, SimulatedKeys, local_trail, put_all

Capture = pytest.CaptureFixture[str]
SETTINGS = LoadSettings(request_items=20)


@pytest.fixture
def index(search_url: str, unique_index_prefix: str) -> Iterator[str]:
    yield unique_index_prefix
    server = connect(SearchSettings.from_url(search_url))
    with contextlib.suppress(RejectedRequestError):
        server.request("DELETE", f"/{unique_index_prefix}")


def held(search_url: str, index: str) -> set[str]:
    server = connect(SearchSettings.from_url(search_url))
    server.request("POST", f"/{index}/_refresh")
    body = json.dumps({"query": {"match_all": {}}, "size": 10_000, "_source": False}).encode()
    return {hit["_id"] for hit in server.request("POST", f"/{index}/_search", body)["hits"]["hits"]}


def ids(trail: LocalTrail, *, without: tuple[str, ...] = ()) -> set[str]:
    return {
        event_id
        for file in trail.written.log_files
        if file.day == DAY and file.key not in without
        for event_id in file.event_ids
    }


@pytest.mark.promise("nothing-lost", "proven-by-aws")
def test_a_trail_in_s3_is_loaded_and_proven(
    search_url: str, aws: str, bucket: str, index: str, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One tampered and one deleted log file and a foreign object are named, and everything else is loaded."""
    with local_trail(Switches(slow=0.0, duplicates=0.1)) as trail:
        altered, gone = trail.files()[0].key, trail.files()[1].key
        tampering.change_event(trail.objects, altered)
        tampering.delete(trail.objects, gone)
        foreign = f"{altered.rpartition('/')[0]}/notes.txt"
        trail.objects.put(foreign, b"notes", {})
        # The digests state the name of their bucket, so the trail's own bucket must have it.
        client = boto3.client("s3", endpoint_url=aws)
        with contextlib.suppress(client.exceptions.BucketAlreadyOwnedByYou):
            client.create_bucket(Bucket="trail")
        put_all(trail.objects, client, "trail")
        monkeypatch.setenv("AWS_ENDPOINT_URL_S3", aws)
        monkeypatch.setattr(cli_trail, "FetchedKeys", lambda _: SimulatedKeys(trail.plan.keys))
        days = (f"--from={DAY}", f"--to={DAY}", "--url", search_url, "--index", index)
        status = main(["load", "s3://trail/audit", *days, "--verify-digests"])
        report: dict[str, Any] = json.loads(capsys.readouterr().out)
        assert status == 1
        assert held(search_url, index) >= ids(trail, without=(altered, gone))
        assert report["read"] == report["indexed"] + report["duplicates"] + report["quarantined"]
        assert report["duplicates"] > 0
        assert report["proofs"] == {"invalid": 1, "signed": len(trail.regions()) - 1}
        (failed,) = [each for each in report["windows"] if each["problem"]]
        assert {(each["kind"], each["key"]) for each in failed["findings"]} == {
            ("altered_file", altered),
            ("missing_file", gone),
            ("misnamed", foreign),
        }


def load(
    trail: LocalTrail,
    manifest: TrailManifest,
    staging: TrailStaging,
    server: Server,
    index: str,
    store: InMemoryStore,
) -> LoadedWindow:
    schema = build_schema("flattened", load_rules())
    loader = Loader(server, IndexPattern(index), schema, SETTINGS)
    return load_window(manifest, trail.bucket, loader, Ledger(server, index, SETTINGS), staging, store)


@pytest.mark.promise("restartable")
def test_a_killed_load_of_log_files_sends_acknowledged_events_once(
    search_url: str, aws: str, bucket: str, index: str
) -> None:
    """The window is complete, signed and in the ledger after the second attempt, and a third one sends nothing."""
    with local_trail() as trail:
        region = trail.region()
        staging = TrailStaging(boto3.client("s3", endpoint_url=aws), bucket, "trail", region.root.folder)
        manifest = keep_manifest(trail.list_window(region), staging)
        assert staging.manifest(manifest.window) == manifest
        wanted = {event_id for file in trail.files(region) for event_id in file.event_ids}
        store = InMemoryStore()
        killed = Server(search_url, kill_after=3)
        with pytest.raises(Killed):
            load(trail, manifest, staging, killed, index, store)
        resumed = Server(search_url)
        loaded = load(trail, manifest, staging, resumed, index, store)
        assert (loaded.cell.problem, loaded.proof) == (None, "signed")
        assert loaded.cell.state is State.COMPLETE
        assert held(search_url, index) == wanted
        assert set(killed.sent) | set(resumed.sent) >= wanted
        again = Server(search_url)
        assert load(trail, manifest, staging, again, index, store).cell.problem is None
        assert again.sent == []
        # Another list is other work.
        fewer = replace(manifest, files=manifest.files[:-1])
        assert load(trail, fewer, staging, again, index, store).cell.problem is None
