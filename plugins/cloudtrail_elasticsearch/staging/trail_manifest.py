"""The manifest of a trail's window: the log files in their place, and what AWS's digests prove about them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from datetime import datetime
from itertools import groupby, takewhile
from typing import Any

import msgspec

from cloudtrail_elasticsearch.core.coverage.findings import Finding, ProofStatus
from cloudtrail_elasticsearch.core.coverage.windows import Window
from cloudtrail_elasticsearch.core.encoding import typed


@dataclass(frozen=True, slots=True)
class TrailFile:
    """A log file in the trail's bucket."""

    key: str
    size: int
    """In bytes, packed."""
    etag: str
    sha256: str | None
    """The hash of its unpacked content that a digest lists; None if no digest lists it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TrailManifest:
    """A window's log files, sorted by key, and the proof by the digests that were in the bucket then."""

    window: Window
    """An account, a region and a time of delivery."""
    bucket: str
    root: str
    """The folder of all accounts, such as ``prefix/AWSLogs/o-…/``."""
    files: tuple[TrailFile, ...]
    proof: ProofStatus | None
    """The status if every log file has its hash; None if no digest was read."""
    findings: tuple[Finding, ...]
    digests: int
    """The number of verified digests."""
    listed_at: datetime
    """A time before the listing."""
    kinds: tuple[str, ...] = ()
    """The kinds of event that were selected, sorted; empty: all."""
    version: int = 1

    def encode(self) -> bytes:
        """Return its JSON, in which the window's values stand beside its own.

        The log files of a folder are lists of the rest of the key, size, ETag and SHA-256, after their common
        prefix, which makes about 150 bytes of each.
        """
        values = msgspec.to_builtins(replace(self, files=()))
        values["files"] = list(_group_files(self.files))
        return msgspec.json.encode(values.pop("window") | values)

    @classmethod
    def decode(cls, body: bytes) -> TrailManifest:
        """Read the JSON that `encode` wrote.

        :raises msgspec.MsgspecError: it is not a manifest
        """
        values = typed.decode(body, dict[str, Any])
        window = {each.name: values.pop(each.name) for each in fields(Window) if each.name in values}
        groups = typed.convert(values.pop("files", None), list[_Group])
        files = [
            TrailFile(group.prefix + rest, size, etag, sha256)
            for group in groups
            for rest, size, etag, sha256 in group.files
        ]
        return typed.convert(values | {"window": window, "files": files}, cls)

    @property
    def bytes(self) -> int:
        """The size of its log files, packed."""
        return sum(file.size for file in self.files)


class _Group(msgspec.Struct):
    """The log files of one folder."""

    prefix: str
    files: list[tuple[str, int, str, str | None]]


def _group_files(files: Iterable[TrailFile]) -> Iterator[_Group]:
    # Sorted keys are grouped by their folders already, so that the order of the log files is kept.
    for _, group in groupby(files, key=lambda file: file.key.rpartition("/")[0]):
        some = list(group)
        # The first and the last of sorted keys have the fewest characters in common.
        common = takewhile(lambda pair: pair[0] == pair[1], zip(some[0].key, some[-1].key, strict=False))
        prefix = "".join(character for character, _ in common)
        yield _Group(prefix, [(file.key[len(prefix) :], file.size, file.etag, file.sha256) for file in some])
