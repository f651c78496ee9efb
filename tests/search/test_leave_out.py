"""Events that rules leave out, on the real servers: the figures, the ledger, and loading them later."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.coverage.cells import Cell
from cloudtrail_elasticsearch.core.coverage.ledger import Ledger
from cloudtrail_elasticsearch.core.documents.rules import load_rules, read_rules
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from cloudtrail_elasticsearch.core.loading.loader import Loader, LoadSettings
from cloudtrail_elasticsearch.core.progress import InMemoryStore
from cloudtrail_elasticsearch.pipeline.load import WindowLoad
from cloudtrail_elasticsearch.pipeline.staged_parts import StagedParts
from cloudtrail_elasticsearch.staging import Manifest, Staging
from tests.search.test_load_restart import EVENTS, Server, identifier, manifest, staging

__all__ = ["manifest", "staging"]

SETTINGS = LoadSettings(request_items=10, senders=2, patience=30, longest_pause=0.1)


def rule(name: str, *ends: str) -> dict[str, Any]:
    """Return a rule for the events whose eventID ends with one of these digits: a tenth of all for each."""
    return {
        "name": name,
        "why": "w",
        "do": "leave-out",
        "events": {"paths": {"eventID": [f"*{end}" for end in ends]}},
    }


class Window:
    """A staged window, one server, and the rules of each load."""

    def __init__(self, url: str, manifest: Manifest, staging: Staging, index: str) -> None:
        self.server = Server(url)
        self._manifest, self._staging, self._index = manifest, staging, index
        self._ledger = Ledger(self.server, index, SETTINGS)

    def work(self, *rules: dict[str, Any]) -> WindowLoad:
        content = json.dumps({"rules": rules}).encode()
        schema = build_schema("flattened", read_rules(content, "mine.yaml") + load_rules())
        loader = Loader(self.server, IndexPattern(self._index), schema, SETTINGS)
        source = StagedParts(self._manifest, self._staging, locate=loader.locate)
        return WindowLoad(source, self._staging, loader, self._ledger, InMemoryStore())

    def recorded(self) -> tuple[Any, ...]:
        """Return what the ledger has of the window."""
        (cell,) = self._ledger.read_cells()
        left_out = {each["rule"]: each["events"] for each in cell["left_out_by"]}
        return cell["state"], cell["staged"], cell["indexed"], cell["left_out"], left_out


def figures(cell: Cell) -> tuple[Any, ...]:
    return cell.state, cell.staged, cell.indexed, cell.left_out, cell.left_out_by


@pytest.mark.promise("nothing-lost")
def test_what_a_rule_leaves_out_is_counted_and_can_be_loaded_later(
    search_url: str, staging: Staging, manifest: Manifest, unique_index_prefix: str
) -> None:
    """The server and the ledger agree after each load; the ledger keeps no rule of an earlier one."""
    window = Window(search_url, manifest, staging, unique_index_prefix)
    share = EVENTS // 10

    def check(cell: Cell, sent: int, indexed: int, left_out: dict[str, int]) -> None:
        expected = ("complete", EVENTS, indexed, sum(left_out.values()), left_out)
        assert (figures(cell), window.recorded(), len(window.server.sent)) == (expected, expected, sent)
        window.server.sent.clear()

    both = rule("ones", "1"), rule("others", "1", "2", "3")
    kept = EVENTS - 3 * share
    check(window.work(*both).load(), kept, kept, {"ones": share, "others": 2 * share})
    # The same rules again, and a verification, send nothing.
    check(window.work(*both).load(), 0, kept, {"ones": share, "others": 2 * share})
    check(window.work(*both).verify(), 0, kept, {"ones": share, "others": 2 * share})
    # Without one rule, what it left out is loaded.
    check(window.work(both[0]).load(), EVENTS - share, EVENTS - share, {"ones": share})
    check(window.work().load(), EVENTS, EVENTS, {})
    # A rule that is added later deletes nothing: the documents count as indexed.
    check(window.work(*both).load(), kept, EVENTS, {})
    for number in range(1, EVENTS, 10):
        window.server.request("DELETE", f"/{unique_index_prefix}/_doc/{identifier(number)}")
    check(window.work(*both).verify(), 0, EVENTS - share, {"ones": share})
