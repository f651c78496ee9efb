"""The proof of a trail's cell: whether AWS's digests list exactly the log files that were read.

The digests are verified elsewhere; these types hold the result for the cell, the ledger and the pages.
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-intro.html
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import msgspec

from cloudtrail_elasticsearch.core.coverage.findings import (
    Finding,
    ProofStatus,
    combine_statuses,
    find_status,
    sort_findings,
)
from cloudtrail_elasticsearch.core.encoding import typed

FINDINGS_KEPT: Final = 20
"""The most findings that a cell keeps; it has the number of all of them."""

_NAMED: Final = 3
"""The most findings that a cell's problem names."""


@dataclass(frozen=True, slots=True)
class Proof:
    """A status, and the worst findings that explain it."""

    status: ProofStatus
    findings: tuple[Finding, ...] = ()
    """At most `FINDINGS_KEPT` of them, the worst ones first."""
    findings_total: int = 0
    """The number of all findings."""

    @classmethod
    def from_findings(cls, known: ProofStatus, findings: Iterable[Finding]) -> Proof:
        """Return the proof with these findings; a repeated one counts once.

        :param known: the status without any finding; a worse finding makes it worse
        """
        distinct = sort_findings(findings)
        return cls(find_status(distinct, known), distinct[:FINDINGS_KEPT], len(distinct))

    @property
    def problem(self) -> str | None:
        """The reason why the cell has failed, with the first findings; None if the status is no failure."""
        if not self.status.is_failure:
            return None
        named = [str(each) for each in self.findings if each.kind.status.is_failure][:_NAMED]
        more = self.findings_total - len(named)
        if more and named:
            named.append(f"{more} further finding{'s' if more > 1 else ''}")
        about = f"its log files are not proven ({self.status})"
        return f"{about}: {'; '.join(named)}" if named else about

    def to_dict(self) -> dict[str, Any]:
        """Return plain values for an XCom; `from_dict` reads them back."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        # A tuple is no JSON value.
        return plain | {"findings": list(plain["findings"])}

    @classmethod
    def from_dict(cls, value: dict[str, Any]) -> Proof:
        """Return the proof of the values that `to_dict` returned."""
        return typed.convert(value, cls)


def merge_proofs(proofs: Iterable[Proof | None]) -> Proof | None:
    """Return the proof of the whole from those of its parts: the worst status, and the findings of all parts.

    None if no part has a proof. A part without one makes the whole unsigned at best: nothing proves that part. A
    finding that several parts have is kept once, but is counted once for each part that did not keep all of its
    findings.
    """
    parts = list(proofs)
    known = [part for part in parts if part is not None]
    if not known:
        return None
    statuses = [part.status for part in known]
    if len(known) < len(parts):
        statuses.append(ProofStatus.UNSIGNED)
    kept = sort_findings(finding for part in known for finding in part.findings)
    unkept = sum(part.findings_total - len(part.findings) for part in known)
    return Proof(combine_statuses(statuses), kept[:FINDINGS_KEPT], len(kept) + unkept)
