"""The ledger's cells of both sources on the real servers, and a ledger of version 0.1, which names none."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.coverage import ledger as ledger_module
from cloudtrail_elasticsearch.core.coverage.compare import Comparison, MissingEvents
from cloudtrail_elasticsearch.core.coverage.findings import Finding, FindingKind, ProofStatus
from cloudtrail_elasticsearch.core.coverage.ledger import Ledger, VerifiedCell
from cloudtrail_elasticsearch.core.coverage.proof import Proof
from cloudtrail_elasticsearch.core.coverage.source import Source
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.index.own_indices import update_own_indices
from cloudtrail_elasticsearch.core.index.own_templates import make_coverage_template
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from tests.cells import cell, staged_at

ACCOUNT = "123456789012"
REGION = "eu-west-1"
DAY = datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture
def server(search_url: str) -> Any:
    return connect(SearchSettings.from_url(search_url))


@pytest.fixture
def index(server: Any, unique_index_prefix: str, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A ledger of version 0.1: its mapping lacks the new fields, and its cell names no source."""
    name = f"{unique_index_prefix}-coverage"
    monkeypatch.setattr(ledger_module, "COVERAGE_INDEX", name)
    keywords = {key: {"type": "keyword"} for key in ("account", "region", "day", "pattern", "state")}
    dates = {key: {"type": "date"} for key in ("start", "end", "last_event", "updated_at")}
    mappings = {"dynamic": False, "properties": keywords | dates}
    server.request("PUT", f"/{name}", codec.encode({"mappings": mappings}))
    old = {"account": ACCOUNT, "region": REGION, "day": "2026-11-01", "pattern": "p", "state": "complete"}
    times = {"start": "2026-11-01T00:00:00Z", "end": "2026-11-02T00:00:00Z", "last_event": "2026-11-01T05:00:00Z"}
    server.request("POST", f"/{name}/_doc?refresh=true", codec.encode(old | times))
    yield name
    server.request("DELETE", f"/{name}")


def window(source: Source) -> Window:
    return Window(ACCOUNT, REGION, DAY, DAY + timedelta(days=1), source)


def verified(source: Source, **further: Any) -> VerifiedCell:
    return VerifiedCell(cell(window(source), 3, 3, **further), staged_at(DAY, DAY, DAY), None, DAY)


def names(cells: list[dict[str, Any]]) -> list[str | None]:
    return [each.get("source") for each in cells]


def test_a_ledger_of_version_0_1_is_read_before_and_after_it_has_the_new_fields(
    server: Any, index: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In pages of one cell, each cell once; the cell without a source is of LookupEvents."""
    monkeypatch.setattr(ledger_module, "_CELLS_PER_PAGE", 1)
    ledger = Ledger(server, "p")
    assert names(list(ledger.read_cells())) == [None]
    assert ledger.find_newest_events([ACCOUNT]) == {(ACCOUNT, REGION): DAY + timedelta(hours=5)}
    template = make_coverage_template() | {"index_patterns": [index]}
    template_name = f"cloudtrail-elasticsearch-{index}"
    update_own_indices(server, {template_name: template}, {})
    server.request("DELETE", f"/_index_template/{template_name}")
    ledger.record_verified_all([verified(Source.TRAIL, proof=Proof(ProofStatus.SIGNED))])
    ledger.record_verified(verified(Source.LOOKUP_EVENTS))
    assert names(list(ledger.read_cells())) == [None, "lookup_events", "trail"]
    assert ledger.find_newest_events([ACCOUNT], Source.TRAIL) == {(ACCOUNT, REGION): DAY}
    assert ledger.find_newest_events([ACCOUNT]) == {(ACCOUNT, REGION): DAY + timedelta(hours=5)}
    for source in Source:
        assert set(names(list(ledger.read_cells(ledger_module.query_source(source))))) <= {None, source.value}
    assert len(list(ledger.read_cells(ledger_module.query_source(Source.TRAIL)))) == 1


def test_proofs_and_comparisons_are_searched(server: Any, index: str) -> None:
    """By the status, by the object of a finding and by the number of missing events."""
    template_name = f"cloudtrail-elasticsearch-{index}"
    update_own_indices(server, {template_name: make_coverage_template() | {"index_patterns": [index]}}, {})
    server.request("DELETE", f"/_index_template/{template_name}")
    ledger = Ledger(server, "p")
    finding = Finding(FindingKind.ALTERED_FILE, "AWSLogs/a.json.gz", "its content has another hash")
    ledger.record_verified(verified(Source.TRAIL, proof=Proof.from_findings(ProofStatus.INVALID, [finding])))
    ledger.record_verified(verified(Source.LOOKUP_EVENTS))
    compared = Comparison(DAY, DAY, DAY, 1, MissingEvents(2, ("a", "b")), MissingEvents(0, ()))
    ledger.record_comparison(window(Source.LOOKUP_EVENTS), compared)
    for query, source in (
        ({"term": {"proof": "invalid"}}, "trail"),
        ({"term": {"findings.key": "AWSLogs/a.json.gz"}}, "trail"),
        ({"range": {"comparison.only_lookup_events.events": {"gt": 1}}}, "lookup_events"),
        ({"term": {"comparison.only_lookup_events.ids": "b"}}, "lookup_events"),
    ):
        assert names(list(ledger.read_cells(query))) == [source]
    (found,) = ledger.read_cells(ledger_module.query_source(Source.TRAIL))
    assert found["state"] == "failed"
    assert Window.from_dict(found) == window(Source.TRAIL)
