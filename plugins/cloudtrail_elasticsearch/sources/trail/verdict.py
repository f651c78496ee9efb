"""Compares the log files that were read with those that the digests list."""

from __future__ import annotations

from dataclasses import dataclass

from cloudtrail_elasticsearch.core.coverage.findings import (
    Finding,
    FindingKind,
    ProofStatus,
    find_status,
    sort_findings,
)
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.sources.trail.chain import ChainProof
from cloudtrail_elasticsearch.sources.trail.coverage import span_of_delivery
from cloudtrail_elasticsearch.sources.trail.layout import LogFileKey, MisnamedKey


@dataclass(frozen=True, slots=True)
class WindowVerdict:
    """What is proven about the log files of a window."""

    window: Window
    status: ProofStatus
    findings: tuple[Finding, ...]
    proven: int
    """The number of log files that were read with the hash that a digest lists."""
    not_signed_yet: tuple[str, ...]
    """Log files that no digest lists, and whose digest is not due yet."""
    unproven: tuple[str, ...]
    """Log files that no digest lists, of a time that no digest covers; empty if validation was off."""


def explain_difference(listed: str, read: str | None) -> str | None:
    """Return how a log file that was read differs from its entry in a digest; None if it does not.

    :param listed: the SHA-256 in the digest, in lower-case hexadecimal digits
    :param read: the SHA-256 of the whole uncompressed content; None if the object is not exactly one gzip member
    """
    if read == listed:
        return None
    return "it is not one whole gzip file" if read is None else "its content has another hash"


class FileCheck:
    """Compares each log file of a window with the proof of its digests, in whatever order they are read."""

    def __init__(self, proof: ChainProof) -> None:
        self._proof = proof
        self._unread = set(proof.files)
        self._findings: set[Finding] = set()
        self._not_signed_yet: set[str] = set()
        self._unproven: set[str] = set()

    def add_file(self, file: LogFileKey, sha256: str | None) -> Finding | None:
        """Add a log file that was read, and return what is wrong with it.

        A file can be added again, for example by a further attempt.

        :param sha256: the SHA-256 of its whole uncompressed content, in lower-case hexadecimal digits; None if the
            object is not exactly one gzip member, such as one with data after its end
        :raises ValueError: the file is not of the window
        """
        window = self._proof.window
        if (file.account, file.region) != (window.account, window.region) or not (
            window.start <= file.delivered < window.end
        ):
            raise ValueError(f"{file.key} is not in the window {window.name} of account {window.account}.")
        listed = self._proof.files.get(file.key)
        if listed is None:
            return self._add_unlisted(file)
        self._unread.discard(file.key)
        problem = explain_difference(listed.sha256, sha256)
        if problem is None:
            return None
        return self._report(FindingKind.ALTERED_FILE, file.key, f"{listed.digest} lists it, but {problem}")

    def add_misnamed(self, misnamed: MisnamedKey) -> Finding:
        """Add an object of the window's folders whose name is not one of CloudTrail's, and return its finding."""
        return self._report(FindingKind.MISNAMED, misnamed.key, misnamed.reason)

    def finish(self) -> WindowVerdict:
        """Return the verdict, after every log file of the window was added."""
        files = self._proof.files
        missing = {
            Finding(FindingKind.MISSING_FILE, key, f"{files[key].digest} lists it, but it is not in the bucket")
            for key in self._unread
        }
        findings = {*self._proof.findings, *self._findings, *missing}
        altered = {each.key for each in self._findings if each.kind is FindingKind.ALTERED_FILE}
        return WindowVerdict(
            window=self._proof.window,
            status=find_status(findings),
            findings=sort_findings(findings),
            proven=len(files) - len(self._unread) - len(altered),
            not_signed_yet=tuple(sorted(self._not_signed_yet)),
            unproven=tuple(sorted(self._unproven)),
        )

    def _add_unlisted(self, file: LogFileKey) -> Finding | None:
        """Sort a file that no digest lists by the holes that its delivery can be in."""
        delivery = span_of_delivery(file.delivered)
        kinds = {hole.kind for hole in self._proof.holes if hole.span.overlaps(delivery)}
        if not kinds:
            reason = "digests cover its time of delivery, but none of them lists it: CloudTrail did not deliver it"
            return self._report(FindingKind.UNLISTED_FILE, file.key, reason)
        # The hole has a finding of its own, so the window is not signed.
        if kinds == {FindingKind.NOT_SIGNED_YET}:
            self._not_signed_yet.add(file.key)
        elif kinds != {FindingKind.VALIDATION_OFF}:
            self._unproven.add(file.key)
        return None

    def _report(self, kind: FindingKind, key: str, reason: str) -> Finding:
        finding = Finding(kind, key, reason)
        self._findings.add(finding)
        return finding
