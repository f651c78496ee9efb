"""The index templates of the loader's own indices: quarantine, rejected paths and coverage ledger."""

from __future__ import annotations

from typing import Any, Final

from cloudtrail_elasticsearch.core.documents.events import content_id
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.figures import LABELS
from cloudtrail_elasticsearch.core.index.fields import keyword_field, text_field
from cloudtrail_elasticsearch.core.index.index_pattern import (
    COVERAGE_INDEX,
    MANAGED_BY,
    QUARANTINE_INDEX,
    RULES_INDEX,
    TEMPLATES,
)

_MISSING: Final[dict[str, Any]] = {"properties": {"events": {"type": "long"}, "ids": keyword_field()}}
_COMPARISON: Final[dict[str, Any]] = {
    **{name: {"type": "date"} for name in ("first_delivery", "last_delivery", "compared_at")},
    "both": {"type": "long"},
    "only_lookup_events": _MISSING,
    "only_trail": _MISSING,
}


def make_quarantine_template() -> dict[str, Any]:
    """Return the index template of the quarantine: the whole event as text, and the reason of its rejection."""
    return _make_template(
        QUARANTINE_INDEX,
        {
            "quarantinedAt": {"type": "date"},
            "eventID": keyword_field(),
            "index": keyword_field(),
            "pattern": keyword_field(),
            "kind": keyword_field(),
            "reason": text_field(),
            # Only stored: an indexed term can have at most 32,766 bytes.
            "event": {"type": "keyword", "index": False, "doc_values": False},
        },
    )


def make_rules_template() -> dict[str, Any]:
    """Return the index template of the rejected paths: one document for each path, with the reason."""
    return _make_template(
        RULES_INDEX,
        {
            "pattern": keyword_field(),
            "path": keyword_field(),
            "goesTo": keyword_field(),
            "kind": keyword_field(),
            "reason": text_field(),
            "eventID": keyword_field(),
            "learnedAt": {"type": "date"},
        },
    )


def make_coverage_template() -> dict[str, Any]:
    """Return the index template of the coverage ledger.

    It has a document for each account, region, day, source and index pattern. The documents with the names of
    accounts have only `account`, `account_name` and `updated_at`. The watermarks of live runs have `live_pattern`
    instead of `pattern`.
    """
    names = ("account", "account_name", "region", "day", "source", "pattern", "state", "live_pattern", "kind")
    times = ("start", "end", "first_event", "last_event", "staged_at", "verified_at", "updated_at")
    live_times = ("watermark", "checked_at")
    return _make_template(
        COVERAGE_INDEX,
        {
            **{name: keyword_field() for name in names},
            **{name: {"type": "date"} for name in (*times, *live_times)},
            "live_events": {"type": "long"},
            **{name: {"type": "long"} for name in LABELS},
            "attempts": {"properties": {"fetch": {"type": "long"}, "load": {"type": "long"}}},
            "problem": text_field(),
            "proof": keyword_field(),
            "findings_total": {"type": "long"},
            "findings": {
                "properties": {"kind": keyword_field(), "key": keyword_field(), "reason": text_field()},
            },
            "left_out_by": {"properties": {"rule": keyword_field(), "events": {"type": "long"}}},
            "comparison": {"properties": _COMPARISON},
            "run": {
                "properties": {
                    "dag_id": keyword_field(),
                    "run_id": keyword_field(),
                    "task_id": keyword_field(),
                    "map_index": {"type": "long"},
                }
            },
        },
    )


def make_own_templates() -> dict[str, dict[str, Any]]:
    """Return the templates of the loader's own indices, by template name."""
    return {
        f"{TEMPLATES}{QUARANTINE_INDEX}": make_quarantine_template(),
        f"{TEMPLATES}{RULES_INDEX}": make_rules_template(),
        f"{TEMPLATES}{COVERAGE_INDEX}": make_coverage_template(),
    }


def _make_template(index: str, properties: dict[str, Any]) -> dict[str, Any]:
    fingerprint = content_id(codec.canonical(properties))[:23]
    return {
        "index_patterns": [index],
        # Above the templates of events, and those that people write for `cloudtrail-*`.
        "priority": 1000,
        # A value must never decide the mapping (ADR-0001).
        "template": {"mappings": {"dynamic": False, "properties": properties}},
        "_meta": {"managed_by": MANAGED_BY, "fingerprint": fingerprint},
    }
