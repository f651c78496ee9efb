"""Windows and cells of both sources, and the ledger's documents for them."""

from __future__ import annotations

import itertools
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.coverage.cells import Cell, Coverage, State
from cloudtrail_elasticsearch.core.coverage.complete_days import find_complete_days
from cloudtrail_elasticsearch.core.coverage.findings import Finding, FindingKind, ProofStatus, find_status
from cloudtrail_elasticsearch.core.coverage.ledger import Ledger, Run, VerifiedCell
from cloudtrail_elasticsearch.core.coverage.proof import FINDINGS_KEPT, Proof
from cloudtrail_elasticsearch.core.coverage.source import Source, label_figures
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.errors import CoverageError, RejectedRequestError
from cloudtrail_elasticsearch.core.search.server import Engine
from cloudtrail_elasticsearch.staging.manifest import Manifest
from tests.cells import cell, staged_at

START = datetime(2026, 11, 20, tzinfo=UTC)
LOOKED_UP = Window("123456789012", "us-east-1", START, START + timedelta(days=1))
TRAIL = replace(LOOKED_UP, source=Source.TRAIL)
TAMPERED = Finding(FindingKind.ALTERED_FILE, "AWSLogs/a.json.gz", "its content has another hash")
STORED = {
    "account": "123456789012",
    "region": "us-east-1",
    "start": "2026-11-20T00:00:00+00:00",
    "end": "2026-11-21T00:00:00+00:00",
    "name": "us-east-1 2026-11-20",
}
"""A window as version 0.1 stored it."""


def test_stored_windows_of_version_0_1_are_of_lookup_events() -> None:
    """In an XCom, a document of the ledger and a manifest."""
    assert Window.from_dict(STORED) == LOOKED_UP
    figures = {"looked_up": 0, "duplicates": 0, "calls": 1, "throttled": 0}
    manifest = STORED | figures | {"fetch": "f", "parts": [], "attempts": 1, "staged_at": START.isoformat()}
    del manifest["name"]
    assert Manifest.decode(json.dumps(manifest).encode()).window == LOOKED_UP


@pytest.mark.parametrize("window", [LOOKED_UP, TRAIL])
def test_a_stored_window_keeps_its_source(window: Window) -> None:
    """The name of a trail's begins with its source."""
    assert Window.from_dict(json.loads(json.dumps(window.to_dict()))) == window
    manifest = Manifest(
        window=window,
        looked_up=0,
        duplicates=0,
        calls=1,
        throttled=0,
        fetch="f",
        parts=(),
        attempts=1,
        staged_at=START,
    )
    assert Manifest.decode(manifest.encode()) == manifest
    assert LOOKED_UP.name == "123456789012 us-east-1 2026-11-20"
    assert TRAIL.name == "trail 123456789012 us-east-1 2026-11-20"


def test_the_two_sources_have_cells_of_their_own() -> None:
    """A cell of one source does not cover the planned window of the other."""
    coverage = Coverage.from_plan([LOOKED_UP, TRAIL], [cell(LOOKED_UP, 3, 3)])
    assert coverage.missing == (TRAIL,)
    with pytest.raises(CoverageError, match="trail 123456789012 us-east-1 2026-11-20: the reason"):
        coverage.check({TRAIL: "the reason"})


def test_figures_have_the_words_of_their_source() -> None:
    """Events are looked up with LookupEvents, and listed in the log files of a trail."""
    assert label_figures(Source.LOOKUP_EVENTS)["looked_up"] == "looked up"
    assert label_figures(Source.TRAIL)["looked_up"] == "listed"
    found = cell(TRAIL, 3, 3, files=2, proof=Proof(ProofStatus.SIGNED))
    assert found.sentence == "3 listed, 3 staged, 3 indexed, 0 duplicates, 0 quarantined, 2 log files, signed"
    assert cell(LOOKED_UP, 3, 3).sentence == "3 looked up, 3 staged, 3 indexed, 0 duplicates, 0 quarantined"
    assert replace(found, looked_up=4).problem == "4 events were listed but 3 staged"


@pytest.mark.promise("nothing-lost")
@pytest.mark.parametrize("kind", FindingKind)
@pytest.mark.parametrize("known", [ProofStatus.SIGNED, ProofStatus.UNSIGNED])
def test_a_gap_or_an_invalid_file_fails_a_cell_by_name(kind: FindingKind, known: ProofStatus) -> None:
    """All of its events are loaded; a trail without validation, or with a digest not due yet, has no problem."""
    finding = Finding(kind, "AWSLogs/a.json.gz", "why")
    found = cell(TRAIL, 3, 3, proof=Proof.from_findings(known, [finding]))
    assert found.proof is not None
    assert found.proof.status is find_status([finding], known)
    if found.proof.status in {ProofStatus.GAP, ProofStatus.INVALID}:
        assert found.state is State.FAILED
        assert found.problem == (
            f"its log files are not proven ({found.proof.status}): {kind}: AWSLogs/a.json.gz: why"
        )
    else:
        assert kind in {FindingKind.NOT_SIGNED_YET, FindingKind.VALIDATION_OFF}
        assert found.state is State.COMPLETE
        assert found.problem is None


def test_figures_that_do_not_add_up_are_the_first_problem() -> None:
    """Lost events are worse than a missing signature; both are named."""
    found = cell(TRAIL, 3, 2, proof=Proof.from_findings(ProofStatus.INVALID, [TAMPERED]))
    assert found.problem is not None
    assert found.problem.startswith("3 events are staged but the server holds 2")
    assert found.problem.endswith(str(TAMPERED))


@pytest.mark.promise("nothing-lost")
@pytest.mark.parametrize("known", ProofStatus)
@pytest.mark.parametrize(
    "kind",
    [FindingKind.DAMAGED_FILE, FindingKind.CHANGED_FILE, FindingKind.DENIED_FILE, FindingKind.MISSING_FILE],
)
def test_a_log_file_that_was_not_read_as_a_whole_fails_its_cell(known: ProofStatus, kind: FindingKind) -> None:
    """Whatever the digests prove, and if none was read."""
    proof = Proof.from_findings(known, [Finding(kind, "key", "why")])
    assert proof.status.is_failure
    assert f"{kind}: key: why" in str(proof.problem)


@pytest.mark.promise("bounded")
def test_a_proof_keeps_a_bounded_number_of_findings() -> None:
    """It has the number of all of them, and the message has the first."""
    many = [Finding(FindingKind.MISSING_FILE, f"{number:04}", "it is not there") for number in range(1_000)]
    proof = Proof.from_findings(ProofStatus.SIGNED, [*many, *many])
    assert proof.findings == tuple(many[:FINDINGS_KEPT])
    assert proof.findings_total == 1_000
    assert str(proof.problem).endswith("missing_file: 0002: it is not there; 997 further findings")
    assert "\n" not in str(Finding(FindingKind.MISNAMED, "b\nc", "d"))


def test_the_worst_findings_come_first() -> None:
    """So that those that a cell keeps explain its status, whatever the order in which they were found."""
    kinds = [FindingKind.ALTERED_FILE, FindingKind.DENIED_FILE, FindingKind.NOT_SIGNED_YET]
    kinds.append(FindingKind.VALIDATION_OFF)
    for order in itertools.permutations(kinds):
        proof = Proof.from_findings(ProofStatus.SIGNED, [Finding(kind, "", "why") for kind in order])
        assert [each.kind for each in proof.findings] == kinds
        assert str(proof.problem).endswith("altered_file: why; denied_file: why; 2 further findings")


@pytest.mark.parametrize("proof", [None, Proof.from_findings(ProofStatus.GAP, [TAMPERED])])
def test_a_cell_is_read_back_from_an_xcom_with_its_proof(proof: Proof | None) -> None:
    """As plain values; a LookupEvents cell has none."""
    found = cell(TRAIL, 3, 3, proof=proof)
    plain = json.loads(json.dumps(found.to_dict()))
    assert Cell.from_dict(plain) == found
    assert ("proof" in plain) == (proof is not None)


def test_totals_count_the_cells_of_each_status() -> None:
    """Totals without proofs stay as they are."""
    signed = cell(TRAIL, 3, 3, files=2, proof=Proof(ProofStatus.SIGNED))
    other = replace(signed, window=replace(TRAIL, region="eu-west-1"), proof=Proof(ProofStatus.PENDING))
    totals = Coverage((signed, other), ()).totals()
    assert (totals["files"], totals["signed"], totals["pending"]) == (4, 1, 1)
    assert Coverage((cell(LOOKED_UP, 3, 3),), ()).totals().keys().isdisjoint({"files", *ProofStatus})


class Server:
    """Keeps the ledger's documents; `missing` makes the index unknown."""

    name = "http://server"
    engine: Engine = "opensearch"

    def __init__(self, templates: dict[str, Any] | None = None, status: int = 200) -> None:
        self.documents: dict[str, dict[str, Any]] = {}
        self.requests: list[tuple[str, str]] = []
        self.bodies: dict[str, Any] = {}
        self.bulks: list[list[Any]] = []
        self._error = {} if status == 200 else {"error": {"type": "mapper_parsing_exception", "reason": "why"}}
        self._templates = templates or {}
        self._status = status

    def request(self, method: str, path: str, body: bytes | None = None) -> Any:
        target = path.partition("?")[0]
        self.requests.append((method, target))
        if target.endswith("_bulk"):
            self.bulks.append([json.loads(line) for line in (body or b"").splitlines()])
            return {"items": [{"index": {"status": self._status, "result": "created", **self._error}}]}
        if body:
            self.bodies[target] = json.loads(body)
        if method == "PUT" and target.endswith("_mapping") and self._status != 200:
            raise RejectedRequestError("no such index", self._status)
        if target.startswith("/cloudtrail-coverage/_update/"):
            self.documents.setdefault(target.rpartition("/")[2], {}).update(json.loads(body or b"")["doc"])
            return {"result": "updated"}
        return {"index_templates": []} if target == "/_index_template" else {}


def verified(window: Window, **further: Any) -> VerifiedCell:
    run = Run("dag", "run", "task", 0, 1)
    return VerifiedCell(cell(window, 3, 3, **further), staged_at(START), run, START)


def test_the_ledger_has_a_document_for_each_source() -> None:
    """The id of a LookupEvents cell stays as it was in version 0.1."""
    server = Server()
    ledger = Ledger(server, "cloudtrail-%Y.%m")
    ledger.record_verified(verified(LOOKED_UP))
    ledger.record_verified(verified(TRAIL, files=2, proof=Proof.from_findings(ProofStatus.INVALID, [TAMPERED])))
    old = "123456789012%7Cus-east-1%7C20261120T000000%7C20261121T000000%7Ccloudtrail-%25Y.%25m"
    looked_up, trail = server.documents[old], server.documents[f"{old}%7Ctrail"]
    assert (looked_up["source"], trail["source"]) == ("lookup_events", "trail")
    assert looked_up.keys().isdisjoint({"proof", "findings", "findings_total"})
    assert (trail["proof"], trail["findings_total"], trail["files"], trail["state"]) == ("invalid", 1, 2, "failed")
    assert trail["findings"] == [
        {"kind": "altered_file", "key": "AWSLogs/a.json.gz", "reason": "its content has another hash"}
    ]
    assert Window.from_dict(trail) == TRAIL
    again = VerifiedCell.from_dict(json.loads(json.dumps(verified(TRAIL, proof=Proof(ProofStatus.GAP)).to_dict())))
    assert again == verified(TRAIL, proof=Proof(ProofStatus.GAP))


def test_names_of_accounts_have_documents_of_their_own() -> None:
    """One request; without an index pattern, so that no query for cells finds them."""
    server = Server()
    Ledger(server, "cloudtrail-%Y.%m").record_account_names({"123456789012": "<b>payments</b>"})
    ((action, document),) = server.bulks
    assert action == {"index": {"_index": "cloudtrail-coverage", "_id": "account|123456789012"}}
    assert document.pop("updated_at").endswith("Z")
    assert document == {"account": "123456789012", "account_name": "<b>payments</b>"}


def test_a_rejected_name_is_an_error() -> None:
    """It states what was rejected and why."""
    with pytest.raises(RejectedRequestError, match="rejected 1 names of accounts of the ledger: why"):
        Ledger(Server(status=400), "p").record_account_names({"123456789012": "payments"})


@pytest.mark.parametrize("status", [200, 404, 400])
def test_an_existing_ledger_gets_the_new_fields(status: int) -> None:
    """A template applies only to new indices. If the index is missing or keeps its fields, the load goes on."""
    server = Server(status=status)
    Ledger(server, "one").record_loading(TRAIL, None)
    mapping, template = (
        "/cloudtrail-coverage/_mapping",
        "/_index_template/cloudtrail-elasticsearch-cloudtrail-coverage",
    )
    assert server.requests.index(("PUT", mapping)) < server.requests.index(("PUT", template))
    assert (
        server.bodies[mapping]["properties"]["source"]
        == {"type": "keyword"} | server.bodies[mapping]["properties"]["source"]
    )


def row(window: Window, **more: Any) -> dict[str, Any]:
    return window.to_dict() | {"day": f"{window.start:%Y-%m-%d}", "pattern": "p", "state": "complete"} | more


def test_a_day_is_complete_for_each_source_and_account() -> None:
    """The verified regions of one source or account do not complete a day of another."""
    other = replace(TRAIL, region="eu-west-1")
    regions = ["us-east-1", "eu-west-1"]
    assert list(find_complete_days([row(LOOKED_UP), row(other)], regions)) == []
    assert list(find_complete_days([row(TRAIL), row(replace(other, account="2"))], regions)) == []
    assert list(find_complete_days([row(TRAIL), row(other, state="failed")], regions)) == []
    (day,) = find_complete_days([row(LOOKED_UP), row(TRAIL, staged=2), row(other, staged=3)], regions)
    assert (day.source, day.staged, day.regions) == (Source.TRAIL, 5, 2)
    assert day.to_dict()["source"] == "trail"
    old = {name: value for name, value in row(LOOKED_UP).items() if name != "source"}
    assert [day.source for day in find_complete_days([old], ["us-east-1"])] == [Source.LOOKUP_EVENTS]
