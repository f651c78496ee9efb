"""A bucket's staged windows.

::

    {prefix}/account={id}/region={region}/date={YYYY-MM-DD}/
        manifest.json                   the window is staged, and these are its parts
        loaded.json                     the window is loaded, and where to
        fetch={id}/part-….ndjson.gz     events
        fetch={id}/slice-….json         a slice is looked up, while others are not
        fetch={id}/pages/….ndjson.gz    pages that are not yet part of a part
        state/….json                    progress, where Airflow has no task state store

Whatever a fetch writes below its own id is written once and never changed. The manifest alone is replaced, and
only by who has seen the one that stands there: an attempt that was thought dead cannot undo another's work.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

import msgspec

from cloudtrail_elasticsearch.core.errors import StagingError
from cloudtrail_elasticsearch.core.windows import Window
from cloudtrail_elasticsearch.staging.bucket import Bucket, Encryption
from cloudtrail_elasticsearch.staging.manifest import LoadRecord, Manifest, Part
from cloudtrail_elasticsearch.staging.parts import PartBuilder, StagedPage, digest, unpack
from cloudtrail_elasticsearch.staging.sharers import Sharers
from cloudtrail_elasticsearch.staging.state import BucketState

MANIFEST: Final = "manifest.json"
LOADED: Final = "loaded.json"
DEFAULT_PREFIX: Final = "cloudtrail"

_LINES: Final = "application/x-ndjson"
_JSON: Final = "application/json"

Document = TypeVar("Document")


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands in a manifest's place: its tag, empty for nothing, and the manifest where it is one."""

    tag: str = ""
    manifest: Manifest | None = None


class Staging:
    """Reads and writes a bucket's staged windows through a boto3 S3 client.

    :param encryption: tells how S3 is to encrypt what is staged; it is asked when something is written
    """

    def __init__(
        self,
        client: Any,
        bucket: str,
        prefix: str = DEFAULT_PREFIX,
        encryption: Callable[[], Encryption] = Encryption,
    ) -> None:
        self._bucket = Bucket(client, bucket, encryption)
        self._prefix = prefix.strip("/")

    def folder(self, window: Window) -> str:
        """Return the key prefix of a window, without a slash at its end."""
        day = f"{window.start:%Y-%m-%d}"
        if not window.is_day:
            day += f"/time={window.start:%H%M%S}-{window.end:%Y%m%d%H%M%S}"
        return f"{self._region_folder(window)}/date={day}"

    def uri(self, window: Window) -> str:
        """Return where a window is staged, for people and XComs."""
        return self._bucket.uri(self.folder(window))

    def manifest(self, window: Window) -> Manifest | None:
        """Return a window's manifest, or None where it is not staged.

        :raises StagingError: it is not a manifest, or another window's
        """
        key = f"{self.folder(window)}/{MANIFEST}"
        stored = self._bucket.read(key)
        if stored is None:
            return None
        manifest = self._decode(key, stored.body, Manifest)
        if manifest.window != window:
            raise StagingError(
                f"The manifest in {self.uri(window)} is that of {manifest.window.name}, not of {window.name}: "
                f"fetch the window again with force."
            )
        return manifest

    def standing(self, window: Window) -> Standing:
        """Return what stands in the manifest's place, readable or not."""
        stored = self._bucket.read(f"{self.folder(window)}/{MANIFEST}")
        if stored is None:
            return Standing()
        try:
            manifest = msgspec.json.decode(stored.body, type=Manifest)
        except msgspec.MsgspecError:
            return Standing(stored.etag)
        return Standing(stored.etag, manifest if manifest.window == window else None)

    def publish(self, manifest: Manifest, instead_of: Standing) -> bool:
        """Write the manifest, from now on the window counts as staged; return whether it was written.

        It is not where something else stands there by now: another attempt came first.
        """
        key = f"{self.folder(manifest.window)}/{MANIFEST}"
        body = msgspec.json.encode(manifest)
        if instead_of.tag:
            return self._bucket.replace(key, body, _JSON, instead_of.tag)
        return self._bucket.create(key, body, _JSON)

    def write_load_record(self, window: Window, record: LoadRecord) -> None:
        """Note that the window's staged events were loaded."""
        self._bucket.write(f"{self.folder(window)}/{LOADED}", msgspec.json.encode(record), _JSON)

    def load_record(self, window: Window) -> LoadRecord | None:
        """Return the note of the window's load, or None where it was not loaded."""
        key = f"{self.folder(window)}/{LOADED}"
        stored = self._bucket.read(key)
        return self._decode(key, stored.body, LoadRecord) if stored else None

    def write_part(self, window: Window, fetch: str, name: str, builder: PartBuilder) -> Part:
        """Stage a part; its name ends in its checksum, so that equal parts are one object."""
        assert builder.first is not None and builder.last is not None, "a part has events"  # noqa: S101, PT018
        body = builder.finish()
        sha256 = digest(body)
        part = Part(
            key=f"{self._fetch_folder(window, fetch)}/part-{name}-{sha256[:12]}.ndjson.gz",
            events=builder.events,
            bytes=len(body),
            sha256=sha256,
            first=builder.first,
            last=builder.last,
        )
        self._bucket.create(part.key, body, _LINES)
        return part

    def lines(self, part: Part) -> Iterator[bytes]:
        """Yield a part's lines, once it is known to be what the manifest says.

        :raises StagingError: the part is missing, cut short or altered
        """
        stored = self._bucket.read(part.key)
        if stored is None:
            raise StagingError(self._damaged(part, "it is missing"))
        body = stored.body
        if len(body) != part.bytes:
            raise StagingError(self._damaged(part, f"it has {len(body)} bytes, not {part.bytes}"))
        if digest(body) != part.sha256:
            raise StagingError(self._damaged(part, "its content was altered (the checksum differs)"))
        try:
            lines = unpack(body)
        except ValueError as error:
            raise StagingError(self._damaged(part, f"it cannot be unpacked ({error})")) from error
        if len(lines) != part.events:
            raise StagingError(self._damaged(part, f"it has {len(lines)} events, not {part.events}"))
        yield from lines

    def keep_page(self, window: Window, fetch: str, name: str, page: StagedPage) -> StagedPage:
        """Keep a page until it is part of a part, and return the one that counts.

        Where another attempt of the same fetch was quicker it is that attempt's, so that both go on alike.
        """
        key = self._page_key(window, fetch, name)
        while not self._bucket.create(key, page.pack(), _LINES):
            kept = self.page(window, fetch, name)
            if kept is not None:
                return kept
        return page

    def page(self, window: Window, fetch: str, name: str) -> StagedPage | None:
        """Return a page that was kept, or None where there is none."""
        key = self._page_key(window, fetch, name)
        stored = self._bucket.read(key)
        if stored is None:
            return None
        try:
            return StagedPage.unpack(stored.body)
        except ValueError as error:
            raise StagingError(f"{self._bucket.uri(key)} is not a page of ours ({error}): delete it.") from error

    def pages(self, window: Window, fetch: str) -> set[str]:
        """Return the names of the pages that are kept."""
        folder = f"{self._fetch_folder(window, fetch)}/pages/"
        return {listed.key.removeprefix(folder).partition(".")[0] for listed in self._bucket.list(folder)}

    def drop_pages(self, window: Window, fetch: str, names: Sequence[str]) -> None:
        """Remove pages that are part of a part by now."""
        self._bucket.delete(self._page_key(window, fetch, name) for name in names)

    def write_slice(self, window: Window, fetch: str, name: str, content: Any) -> None:
        """Note what became of a slice."""
        self._bucket.write(self._slice_key(window, fetch, name), msgspec.json.encode(content), _JSON)

    def slice(self, window: Window, fetch: str, name: str, kind: type[Document]) -> Document | None:
        """Return what was noted of a slice, or None."""
        key = self._slice_key(window, fetch, name)
        stored = self._bucket.read(key)
        return self._decode(key, stored.body, kind) if stored else None

    def tidy(self, window: Window, manifest: Manifest, fetches: Iterable[str]) -> None:
        """Remove what these fetches of a window wrote and its manifest does not name.

        :raises AccessDeniedError: s3:DeleteObject is not allowed
        """
        named = {part.key for part in manifest.parts}
        for fetch in fetches:
            listed = self._bucket.list(f"{self._fetch_folder(window, fetch)}/")
            self._bucket.delete(entry.key for entry in listed if entry.key not in named)

    def state(self, window: Window, task: str) -> BucketState:
        """Return the stand-in for Airflow's task state store, of one task and window."""
        return BucketState(self._bucket, f"{self.folder(window)}/state/{task}")

    def sharers(self, window: Window) -> Sharers:
        """Return the workers that look up events of the window's region."""
        return Sharers(self._bucket, f"{self._region_folder(window)}/looking-up")

    def _region_folder(self, window: Window) -> str:
        top = f"{self._prefix}/" if self._prefix else ""
        return f"{top}account={window.account}/region={window.region}"

    def _fetch_folder(self, window: Window, fetch: str) -> str:
        return f"{self.folder(window)}/fetch={fetch}"

    def _page_key(self, window: Window, fetch: str, name: str) -> str:
        return f"{self._fetch_folder(window, fetch)}/pages/{name}.ndjson.gz"

    def _slice_key(self, window: Window, fetch: str, name: str) -> str:
        return f"{self._fetch_folder(window, fetch)}/slice-{name}.json"

    def _damaged(self, part: Part, why: str) -> str:
        return (
            f"The staged part {self._bucket.uri(part.key)} is not what its manifest says: {why}. Nothing of "
            f"it was loaded. Run the cell again with force, which fetches the window anew."
        )

    def _decode(self, key: str, body: bytes, kind: type[Document]) -> Document:
        try:
            return msgspec.json.decode(body, type=kind)
        except msgspec.MsgspecError as error:
            raise StagingError(
                f"{self._bucket.uri(key)} is not what this loader wrote ({error}): run the cell with force."
            ) from error
