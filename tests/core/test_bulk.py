"""Bulk requests: their bodies, and the outcomes of their items."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core.errors import AccessDeniedError, MappingError
from cloudtrail_elasticsearch.core.search.bulk import BulkItem, encode_bulk_body, group_into_batches
from cloudtrail_elasticsearch.core.search.bulk_answer import join_reasons, read_answer

ITEMS = st.lists(st.integers(0, 500).map(lambda size: BulkItem("i", "x", b"d" * size, b"")), max_size=50)


@given(items=ITEMS, max_bytes=st.integers(1, 2000), max_items=st.integers(1, 10))
def test_batches_keep_every_item_in_order_within_the_bounds(
    items: list[BulkItem], max_bytes: int, max_items: int
) -> None:
    """No item is lost, and a batch exceeds the limit only if its single item does."""
    made = list(group_into_batches(items, max_bytes, max_items))
    assert [item for batch in made for item in batch] == items
    for batch in made:
        assert 0 < len(batch) <= max_items
        assert len(batch) == 1 or sum(item.size for item in batch) <= max_bytes


def test_a_body_has_an_action_line_and_a_document_line_per_item() -> None:
    """It ends with a newline, as the API requires."""
    item = BulkItem("id-1", "cloudtrail-2026.11", b'{"a":1}', b"")
    assert encode_bulk_body([item]) == b'{"index":{"_index":"cloudtrail-2026.11","_id":"id-1"}}\n{"a":1}\n'


def test_an_item_without_a_document_is_deleted() -> None:
    """It has one line, and counts as neither created nor updated, whether it existed or not."""
    item = BulkItem("id-1", "cloudtrail-2026.11", None)
    assert encode_bulk_body([item]) == b'{"delete":{"_index":"cloudtrail-2026.11","_id":"id-1"}}\n'
    for status, result in ((200, "deleted"), (404, "not_found")):
        answer = read_answer([item], {"items": [{"delete": {"status": status, "result": result}}]})
        assert (answer.created, answer.updated, answer.rejections) == (0, 0, [])


def reply(status: int, **others: Any) -> dict[str, Any]:
    return {"items": [{"index": {"status": status, **others}}]}


ITEM = BulkItem("id-1", "cloudtrail-2026.11", b"{}", b"{}")


def test_created_and_updated_items_are_counted_separately() -> None:
    """A document that existed before is a duplicate."""
    assert read_answer([ITEM], reply(201, result="created")).created == 1
    assert read_answer([ITEM], reply(200, result="updated")).updated == 1


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (429, "es_rejected_execution_exception"),
        (503, "unavailable_shards_exception"),
        (403, "cluster_block_exception"),
        (429, "cluster_block_exception"),
    ],
)
def test_items_with_a_transient_error_are_resent(status: int, kind: str) -> None:
    """A full queue, a lost shard, a read-only index: the item waits, with the reason."""
    answer = read_answer([ITEM], reply(status, error={"type": kind, "reason": "for now"}))
    assert answer.to_resend == [ITEM]
    assert answer.resend_reason == "for now"


def test_an_error_of_the_document_is_a_rejection() -> None:
    """It has the server's reasons, down to the last cause."""
    error = {"type": "document_parsing_exception", "reason": "failed", "caused_by": {"reason": "because"}}
    (refused,) = read_answer([ITEM], reply(400, error=error)).rejections
    assert refused.item is ITEM
    assert refused.reason == "failed: because"


def test_an_error_of_the_index_or_the_user_stops_the_load() -> None:
    """A missing permission or a full cluster does not send every event to the quarantine."""
    with pytest.raises(AccessDeniedError, match=r"cloudtrail-2026\.11: no"):
        read_answer([ITEM], reply(403, error={"type": "security_exception", "reason": "no"}))
    with pytest.raises(MappingError, match="1000 shards"):
        read_answer([ITEM], reply(400, error={"type": "validation_exception", "reason": "1000 shards"}))


def test_every_error_has_a_reason() -> None:
    """Whatever shape the error has, there is text for the log."""
    assert join_reasons("plain") == "plain"
    assert join_reasons({"type": "kind"}) == "kind"
    assert join_reasons({}) == "{}"
