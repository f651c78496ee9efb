"""Damage to a trail: one object altered, deleted or added in each of some windows."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

from cloudtrail_elasticsearch.core.coverage.findings import FindingKind
from devstack.organization.trail import OrganizationTrail
from devstack.simulator.trails import Cell, WrittenDigest, WrittenFile, tampering
from devstack.simulator.trails.stores import MemoryBucket

_NOTES: Final = "notes.txt"


@dataclass(frozen=True, slots=True)
class Damage:
    """The finding that the ledger must have for each damaged window, and the log files that lost events."""

    findings: Mapping[Cell, tuple[FindingKind, str]]
    """The kind of the finding, and the key of the object that it names."""
    spoiled: frozenset[str]
    """The keys of the log files that were altered or deleted."""


INTACT: Final = Damage({}, frozenset())


def damage_trail(trail: OrganizationTrail, day: date) -> Damage:
    """Damage five windows of a day: alter a log file, delete one, delete a digest, add a note, copy a log file.

    :raises ValueError: fewer than five windows of the day have log files
    """
    files: defaultdict[Cell, list[WrittenFile]] = defaultdict(list)
    for file in trail.written.log_files:
        if file.day == day:
            files[Cell(file.account, file.region, day)].append(file)
    chosen = sorted(files, key=lambda cell: (cell.account, cell.region))[:5]
    if len(chosen) < 5:
        raise ValueError(f"only {len(chosen)} windows of {day} have log files: write more events")
    keys = [files[cell][len(files[cell]) // 2].key for cell in chosen]
    bucket = trail.bucket
    altered = tampering.change_event(bucket, keys[0])
    deleted = tampering.delete(bucket, keys[1])
    digest = tampering.delete(bucket, _find_digest_of_noon(trail, chosen[2]).key)
    foreign = _add_notes(bucket, keys[3])
    unlisted = tampering.copy_log_file(bucket, keys[4])
    found = [
        (FindingKind.ALTERED_FILE, altered),
        (FindingKind.MISSING_FILE, deleted),
        (FindingKind.MISSING_DIGEST, digest),
        (FindingKind.MISNAMED, foreign),
        (FindingKind.UNLISTED_FILE, unlisted),
    ]
    return Damage(dict(zip(chosen, found, strict=True)), frozenset({altered, deleted}))


def _find_digest_of_noon(trail: OrganizationTrail, cell: Cell) -> WrittenDigest:
    # Not at the day's borders, where a digest belongs to the proof of two windows.
    digests = [
        each
        for each in trail.written.digests
        if (each.account, each.region) == (cell.account, cell.region) and not each.is_backfill
    ]
    hour = 24 * (cell.day - trail.settings.first).days + 12
    return sorted(digests, key=lambda each: each.end)[hour]


def _add_notes(bucket: MemoryBucket, beside: str) -> str:
    key = f"{beside.rpartition('/')[0]}/{_NOTES}"
    bucket.put(key, b"copied for the audit\n", {})
    return key
