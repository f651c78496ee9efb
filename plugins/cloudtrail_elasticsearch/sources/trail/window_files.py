"""Reads the log files of a window's manifest, and compares their contents with the hashes in the digests."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from cloudtrail_elasticsearch.core.coverage.findings import (
    Finding,
    FindingKind,
    ProofStatus,
    find_status,
    sort_findings,
)
from cloudtrail_elasticsearch.core.errors import AccessDeniedError
from cloudtrail_elasticsearch.core.log_text import safe_text
from cloudtrail_elasticsearch.sources.trail.bucket import TrailBucket
from cloudtrail_elasticsearch.sources.trail.log_file import LogFileContent
from cloudtrail_elasticsearch.sources.trail.read_ahead import AheadSettings, ReadAhead, ReadFile
from cloudtrail_elasticsearch.sources.trail.verdict import explain_difference
from cloudtrail_elasticsearch.staging import TrailFile, TrailManifest

log = logging.getLogger(__name__)

MOST_DENIED: Final = 20
"""If this many log files may not be read, and none was read before, the window fails as a whole."""

_REPLACED: Final = "it was replaced after it was listed: list and load the window again"


@dataclass(frozen=True, slots=True)
class OpenedFile:
    """A log file of the manifest, and its content if it could be read."""

    file: TrailFile
    content: LogFileContent | None
    is_replaced: bool = False
    """Whether it has another ETag than in the manifest."""


class WindowFiles:
    """Reads all log files of a window once, in the order of the manifest.

    :param manifest: its findings are kept, and those about contents are added to them
    """

    def __init__(
        self, manifest: TrailManifest, bucket: TrailBucket, settings: AheadSettings | None = None
    ) -> None:
        self._manifest = manifest
        self._bucket = bucket
        self._ahead = ReadAhead(bucket, settings)
        self._findings = set(manifest.findings)
        self._replaced: list[TrailFile] = []
        self.bytes_read = 0
        """The packed bytes of the log files that were read so far."""

    def open_all(self) -> Iterator[OpenedFile]:
        """Yield every log file; each must be read to its end before the next one is asked for.

        :raises AccessDeniedError: none of the first log files may be read
        :raises TransientError: S3 does not recover in time; the message names the object
        """
        denied, is_any_read = 0, False
        for read in self._ahead.read(self._manifest.files):
            opened = self._open(read)
            denied += bool(read.denial)
            if denied >= MOST_DENIED and not is_any_read:
                raise AccessDeniedError(f"None of the first {denied} log files may be read. {read.denial}")
            yield opened
            if opened.content is not None:
                is_any_read = True
                self._check(opened, opened.content)
            self.bytes_read += read.file.size

    @property
    def is_as_listed(self) -> bool:
        """Whether every log file that was read so far has the ETag of the manifest."""
        return not self._replaced

    def report_replaced(self) -> None:
        """Add a finding for each log file that was replaced after it was listed.

        For a reading whose events are not sent: those that were sent can be of the content that was replaced.
        """
        for file in self._replaced:
            self._report(FindingKind.CHANGED_FILE, file, _REPLACED)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The findings about the window so far, the worst ones first; complete after the last log file."""
        return sort_findings(self._findings)

    @property
    def status(self) -> ProofStatus | None:
        """The status of the window so far; None if no digest was read, and nothing was found."""
        if self._manifest.proof is None:
            return find_status(self._findings, ProofStatus.UNSIGNED) if self._findings else None
        return find_status(self._findings)

    def _open(self, read: ReadFile) -> OpenedFile:
        if read.denial:
            self._report(FindingKind.DENIED_FILE, read.file, read.denial)
        elif read.found is None:
            self._report(FindingKind.MISSING_FILE, read.file, "it was deleted after it was listed")
        else:
            is_replaced = read.found.etag != read.file.etag
            if is_replaced:
                self._replaced.append(read.file)
            return OpenedFile(read.file, LogFileContent(read.file.key, read.found.body), is_replaced)
        return OpenedFile(read.file, None)

    def _check(self, opened: OpenedFile, content: LogFileContent) -> None:
        file, problem = opened.file, content.problem
        # Of a replaced object, at most as many bytes as listed were read, so its end can be missing.
        if problem is not None and not opened.is_replaced:
            self._report(FindingKind.DAMAGED_FILE, file, problem)
        if file.sha256 is not None:
            difference = explain_difference(file.sha256, content.sha256)
            if difference is not None:
                self._report(FindingKind.ALTERED_FILE, file, f"a digest lists it, but {difference}")
        elif opened.is_replaced:
            self._report(FindingKind.CHANGED_FILE, file, _REPLACED)

    def _report(self, kind: FindingKind, file: TrailFile, reason: str) -> None:
        finding = Finding(kind, file.key, reason)
        if finding not in self._findings:
            self._findings.add(finding)
            log.warning("%s: %s", self._manifest.window.name, safe_text(str(finding)))
