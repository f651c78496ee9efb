"""Findings: what keeps the log files of a trail's cell from being proven, and whether the cell fails for it.

The rule is here alone: the kind of a finding gives the best status that a cell can have, the worst finding
decides, and a cell fails if its status is a failure (docs/adr/0017-aws-signs-the-list-of-files.md).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from cloudtrail_elasticsearch.core.log_text import safe_text


class ProofStatus(StrEnum):
    """What AWS's digests prove about a cell; a later member outweighs an earlier one."""

    SIGNED = "signed"
    """Digests that AWS signed cover the whole window, and list exactly the log files that were read."""
    UNSIGNED = "unsigned"
    """There are no digests of some or all of the time: log file validation was off."""
    PENDING = "pending"
    """The digests of the last log files are not due yet, and nothing else is wrong."""
    GAP = "gap"
    """No digest covers some of the time, or events of a log file could not be read."""
    INVALID = "invalid"
    """A digest or a log file was altered, removed or added."""

    @property
    def is_failure(self) -> bool:
        """Whether a cell with this status fails: events may be missing or wrong although all figures add up.

        `unsigned` and `pending` are no failures: they state that nothing is proven, or not yet.
        """
        return self in (ProofStatus.GAP, ProofStatus.INVALID)


class FindingKind(StrEnum):
    """What was found."""

    MISNAMED = "misnamed"
    """An object whose name contradicts its folder."""
    UNREADABLE = "unreadable"
    """A digest that is not gzip, not JSON, too large, or without a field that it must have."""
    MOVED = "moved"
    """A digest that states another bucket or key than its own."""
    CONTRADICTORY = "contradictory"
    """A digest whose account or times contradict its key."""
    UNKNOWN_ALGORITHM = "unknown_algorithm"
    UNKNOWN_KEY = "unknown_key"
    """A digest of which AWS has no public key with the stated fingerprint."""
    BAD_SIGNATURE = "bad_signature"
    MISSING_DIGEST = "missing_digest"
    """A digest that a later one links to, but that is not in the bucket."""
    BROKEN_LINK = "broken_link"
    """A digest that links to another content than the previous digest has."""
    CONFLICTING_HASHES = "conflicting_hashes"
    """A log file that is listed twice, with different hashes."""
    MISSING_FILE = "missing_file"
    """A log file that a digest lists, or that was listed in the bucket, but that was not read."""
    ALTERED_FILE = "altered_file"
    """A log file whose content has another hash than a digest lists."""
    UNLISTED_FILE = "unlisted_file"
    """A log file of a time that digests cover, but that none of them lists."""
    DAMAGED_FILE = "damaged_file"
    """A log file with text that is not a list of events; its readable events are loaded."""
    CHANGED_FILE = "changed_file"
    """A log file that was replaced after it was listed, and whose content no digest proves."""
    DENIED_FILE = "denied_file"
    """A log file that the loader may not read, or that is archived."""
    UNREAD_PLACE = "unread_place"
    """A digest that lists log files in another bucket, or outside of the folders of its account and region."""
    UNCOVERED = "uncovered"
    """A time that no digest of the trail covers."""
    NOT_SIGNED_YET = "not_signed_yet"
    """A time whose digest is not due yet."""
    VALIDATION_OFF = "validation_off"
    """There are no digests at this time, and none before it."""

    @property
    def status(self) -> ProofStatus:
        """The best status that a cell with such a finding can have."""
        return _STATUS.get(self, ProofStatus.INVALID)


_STATUS: Final = {
    # AWS may have signed the file as it is, but events of it are missing.
    FindingKind.DAMAGED_FILE: ProofStatus.GAP,
    FindingKind.CHANGED_FILE: ProofStatus.GAP,
    FindingKind.DENIED_FILE: ProofStatus.GAP,
    FindingKind.UNREAD_PLACE: ProofStatus.GAP,
    FindingKind.UNCOVERED: ProofStatus.GAP,
    FindingKind.NOT_SIGNED_YET: ProofStatus.PENDING,
    FindingKind.VALIDATION_OFF: ProofStatus.UNSIGNED,
}
_BEST_FIRST: Final = tuple(ProofStatus)


@dataclass(frozen=True, slots=True)
class Finding:
    """One reason why a cell is not signed."""

    kind: FindingKind
    key: str
    """The object; empty if the finding is about a time for which there is no object."""
    reason: str

    def __str__(self) -> str:
        about = f"{self.key}: " if self.key else ""
        return safe_text(f"{self.kind}: {about}{self.reason}")


def combine_statuses(statuses: Iterable[ProofStatus]) -> ProofStatus:
    """Return the worst of these statuses; signed if there is none."""
    return max(statuses, key=_BEST_FIRST.index, default=ProofStatus.SIGNED)


def find_status(findings: Iterable[Finding], known: ProofStatus = ProofStatus.SIGNED) -> ProofStatus:
    """Return the status of a cell with these findings.

    :param known: the status without any finding: unsigned if no digest was read
    """
    return combine_statuses([known, *(each.kind.status for each in findings)])


def sort_findings(findings: Iterable[Finding]) -> tuple[Finding, ...]:
    """Return distinct findings in one order, the worst ones first."""

    def rank(finding: Finding) -> tuple[int, str, str, str]:
        return -_BEST_FIRST.index(finding.kind.status), finding.kind, finding.key, finding.reason

    return tuple(sorted(set(findings), key=rank))
