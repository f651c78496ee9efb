"""Unites the fields and settings that DAGs with different choices write for one pattern. ADR-0029

Otherwise each load would remove the fields of the other DAGs, for example those of the texts, and write the
templates and the ``_meta`` of all indices again.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

from cloudtrail_elasticsearch.core.index.index_settings import CHOSEN_SETTINGS
from cloudtrail_elasticsearch.core.log_text import safe_text

log = logging.getLogger(__name__)

_FINGERPRINT: Final = "fingerprint"
_FINGERPRINTS: Final = "fingerprints"


def has_fields(meta: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Return whether a mapping has the wanted fields, by its ``_meta``: a field is never removed from an index."""
    # The owner of an index may keep more in its `_meta`.
    others = {name: value for name, value in wanted.items() if name not in {_FINGERPRINT, _FINGERPRINTS}}
    return others.items() <= meta.items() and _list_fingerprints(wanted) <= _list_fingerprints(meta)


def unite_meta(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the ``_meta`` of a mapping with the fields of both. The fingerprints do not depend on the order."""
    fingerprints = sorted(_list_fingerprints(stored) | _list_fingerprints(wanted))
    several = {_FINGERPRINTS: fingerprints} if len(fingerprints) > 1 else {}
    return {**stored, **wanted, _FINGERPRINT: fingerprints[0], **several}


def unite_mappings(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return a mapping with the fields of both; the wanted ones prevail.

    A stored mapping of another strategy is replaced: the two have different types for the same fields.
    """
    meta, wanted_meta = stored.get("_meta", {}), wanted["_meta"]
    if any(meta.get(name) != wanted_meta[name] for name in ("managed_by", "strategy")):
        return dict(wanted)
    return {
        **stored,
        **wanted,
        "properties": _unite_fields(stored.get("properties", {}), wanted["properties"]),
        "_meta": unite_meta(meta, wanted_meta),
    }


def unite_settings(pattern: str, stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Return the wanted settings, and the stored choices of other runs for settings that this run does not choose.

    :param pattern: the index pattern, for the warning if the two have different values
    """
    kept: dict[str, Any] = {}
    for name, parse in CHOSEN_SETTINGS.items():
        if name not in stored:
            continue
        value = parse(stored[name])
        if name not in wanted:
            kept[name] = value
        elif wanted[name] != value:
            log.warning(
                "%s of new indices of %s is %s from now on, instead of %s. If another DAG that loads into these "
                "indices chose %s, give both the same value: the run that creates an index decides.",
                name,
                pattern,
                safe_text(str(wanted[name])),
                safe_text(str(value)),
                safe_text(str(value)),
            )
    return {**wanted, **kept}


def _list_fingerprints(meta: Mapping[str, Any]) -> frozenset[str]:
    several = meta.get(_FINGERPRINTS)
    found = (meta.get(_FINGERPRINT), *(several if isinstance(several, list) else ()))
    # The owner of an index may keep other values there.
    return frozenset(each for each in found if isinstance(each, str))


def _unite_fields(stored: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    united = dict(stored)
    for name, field in wanted.items():
        below = stored.get(name, {})
        if below.get("type") != field.get("type") or ("properties" in below) != ("properties" in field):
            united[name] = field
        elif "properties" in field:
            united[name] = {**field, "properties": _unite_fields(below["properties"], field["properties"])}
        else:
            # The stored mapping can copy to fields that only it has. Its other parameters can only be those of an
            # earlier version.
            copies = sorted({*below.get("copy_to", ()), *field.get("copy_to", ())})
            united[name] = {**field, **({"copy_to": copies} if copies else {})}
    return united
