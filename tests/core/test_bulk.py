"""Bulk requests: what is put into one, and what the answer says of each item."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core.bulk import BulkItem, batches, body, read_answer, reason
from cloudtrail_elasticsearch.core.errors import AccessDeniedError, MappingError

ITEMS = st.lists(st.integers(0, 500).map(lambda size: BulkItem("i", "x", b"d" * size, b"")), max_size=50)


@given(items=ITEMS, max_bytes=st.integers(1, 2000), max_items=st.integers(1, 10))
def test_batches_keep_every_item_in_order_within_the_bounds(
    items: list[BulkItem], max_bytes: int, max_items: int
) -> None:
    """No item is lost, and only an item too large by itself makes a request larger than asked for."""
    made = list(batches(items, max_bytes, max_items))
    assert [item for batch in made for item in batch] == items
    for batch in made:
        assert 0 < len(batch) <= max_items
        assert len(batch) == 1 or sum(item.size for item in batch) <= max_bytes


def test_a_body_is_action_and_document_line_by_line() -> None:
    """It ends with a newline, as the API asks."""
    item = BulkItem("id-1", "cloudtrail-2026.11", b'{"a":1}', b"")
    assert body([item]) == b'{"index":{"_index":"cloudtrail-2026.11","_id":"id-1"}}\n{"a":1}\n'


def test_an_item_without_a_document_is_deleted() -> None:
    """It has one line, and is neither created nor updated whether it was there or not."""
    item = BulkItem("id-1", "cloudtrail-2026.11", None)
    assert body([item]) == b'{"delete":{"_index":"cloudtrail-2026.11","_id":"id-1"}}\n'
    for status, result in ((200, "deleted"), (404, "not_found")):
        answer = read_answer([item], {"items": [{"delete": {"status": status, "result": result}}]})
        assert (answer.created, answer.updated, answer.refused) == (0, 0, [])


def said(status: int, **others: Any) -> dict[str, Any]:
    return {"items": [{"index": {"status": status, **others}}]}


ITEM = BulkItem("id-1", "cloudtrail-2026.11", b"{}", b"{}")


def test_created_and_updated_are_told_apart() -> None:
    """A document that was there before is a duplicate."""
    assert read_answer([ITEM], said(201, result="created")).created == 1
    assert read_answer([ITEM], said(200, result="updated")).updated == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, "es_rejected_execution_exception"),
        (503, "unavailable_shards_exception"),
        (403, "cluster_block_exception"),
        (429, "cluster_block_exception"),
    ],
)
def test_what_passes_is_sent_again(status: int, kind: str) -> None:
    """A full queue, a lost shard, a read-only index: the item waits, with the reason."""
    answer = read_answer([ITEM], said(status, error={"type": kind, "reason": "for now"}))
    assert answer.again == [ITEM]
    assert answer.why_again == "for now"


def test_what_the_document_causes_is_refused() -> None:
    """With the server's words, down to the last cause."""
    error = {"type": "document_parsing_exception", "reason": "failed", "caused_by": {"reason": "because"}}
    (refused,) = read_answer([ITEM], said(400, error=error)).refused
    assert refused.item is ITEM
    assert refused.reason == "failed: because"


def test_what_no_document_causes_stops_the_load() -> None:
    """A missing right or a full cluster does not send every event to quarantine."""
    with pytest.raises(AccessDeniedError, match=r"cloudtrail-2026\.11: no"):
        read_answer([ITEM], said(403, error={"type": "security_exception", "reason": "no"}))
    with pytest.raises(MappingError, match="1000 shards"):
        read_answer([ITEM], said(400, error={"type": "validation_exception", "reason": "1000 shards"}))


def test_a_reason_is_found_in_any_error() -> None:
    """Whatever shape the error has, there are words for the log."""
    assert reason("plain") == "plain"
    assert reason({"type": "kind"}) == "kind"
    assert reason({}) == "{}"
