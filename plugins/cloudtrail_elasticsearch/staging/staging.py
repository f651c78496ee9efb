"""A bucket's staged windows.

::

    {prefix}/account={id}/region={region}/date={YYYY-MM-DD}/
        manifest.json                   the window is staged; the list of its parts
        loaded.json                     the window is loaded; a fingerprint of the load
        fetch={id}/part-….ndjson.gz     events
        fetch={id}/checkpoint-….gz      the newest pages and the progress of a fetch, until it ends
        state/….json                    progress, if Airflow has no task state store

Objects below ``fetch={id}`` are written once and never changed. Only the manifest can be replaced, which
requires its current ETag: an attempt that Airflow gave up cannot undo the work of a later one (ADR-0008).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.errors import StagingError
from cloudtrail_elasticsearch.staging.manifest import Manifest, Part
from cloudtrail_elasticsearch.staging.parts import PackedPart, describe_part, digest, unpack
from cloudtrail_elasticsearch.staging.records import WindowRecords

_LINES: Final = "application/x-ndjson"


class Staging(WindowRecords[Manifest]):
    """Reads and writes a bucket's staged windows with a boto3 S3 client."""

    decode_manifest = Manifest.decode

    def write_part(self, window: Window, fetch: str, name: str, packed: PackedPart) -> Part:
        """Stage a part; its name includes its checksum, so that equal parts are one object."""
        sha256 = digest(packed.body)
        key = self.object_key(window, fetch, f"part-{name}-{sha256[:12]}.ndjson.gz")
        part = describe_part(key, packed, sha256)
        # Never replaced: an existing object has the same checksum in its name, and so the same content (ADR-0008).
        self.bucket.create(part.key, packed.body, _LINES)
        return part

    def lines(self, part: Part) -> list[bytes]:
        """Return a part's lines after verifying its size, checksum and number of events.

        :raises StagingError: the part is missing, cut short or altered
        """
        # A larger object is damaged, so its body need not be read.
        stored = self.bucket.read(part.key, max(part.bytes, 0))
        if stored is None:
            raise StagingError(self._describe_damage(part, "it is missing"))
        body = stored.body
        if len(body) != part.bytes:
            raise StagingError(self._describe_damage(part, f"it has {len(body)} bytes, not {part.bytes}"))
        if digest(body) != part.sha256:
            raise StagingError(self._describe_damage(part, "its content was altered (the checksum differs)"))
        try:
            lines = unpack(body, part.unpacked)
        except ValueError as error:
            raise StagingError(self._describe_damage(part, f"it cannot be unpacked ({error})")) from error
        if len(lines) != part.events:
            raise StagingError(self._describe_damage(part, f"it has {len(lines)} events, not {part.events}"))
        return lines

    def read_checkpoint(self, key: str) -> bytes:
        """Return a checkpoint of a fetch.

        :raises StagingError: it is missing, or larger than any checkpoint
        """
        stored = self.bucket.read(key)
        if stored is None:
            raise StagingError(f"The checkpoint {self.bucket.uri(key)} is missing.")
        return stored.body

    def tidy(self, window: Window, manifest: Manifest, fetches: Iterable[str]) -> None:
        """Delete the objects of these fetches that the manifest does not name.

        :raises AccessDeniedError: s3:DeleteObject is not allowed
        """
        # A part can be in any of these folders: another fetch may have published the manifest.
        named = {part.key for part in manifest.parts}
        for fetch in fetches:
            listed = self.bucket.list(self.object_key(window, fetch, ""))
            self.bucket.delete(entry.key for entry in listed if entry.key not in named)

    def object_key(self, window: Window, fetch: str, name: str) -> str:
        """Return the key of an object of a fetch."""
        return f"{self.folder(window)}/fetch={fetch}/{name}"

    def _describe_damage(self, part: Part, why: str) -> str:
        return (
            f"The staged part {self.bucket.uri(part.key)} does not match its manifest: {why}. None of its events "
            f"were loaded. Run the cell again with force, which fetches the window again."
        )
