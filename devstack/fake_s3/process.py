"""The server as a process."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Self

from devstack.processes import Child, folder_or_temporary, module
from devstack.simulator.trails.stores import FolderBucket, MemoryBucket


class FakeS3Process:
    """Serves the buckets of a folder from a process of its own, so that its cost is not the caller's.

    :param buckets: a folder with a folder for each bucket, as `FolderBucket` writes it; read once
    """

    def __init__(self, buckets: Path, latency: float = 0.0) -> None:
        self._command = module("devstack.fake_s3", str(buckets), "--latency", str(latency))

    def __enter__(self) -> Self:
        """Start the process, and wait until it serves.

        :raises ServiceError: it did not start
        """
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(folder_or_temporary(None))
            self._process = Child("The stand-in for S3", self._command, folder / "log", temporary=folder)
            stack.callback(self._process.stop)
            self.endpoint_url = self._process.announced_url(300)
            self._leave = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        """End the process."""
        self._leave.close()

    @property
    def pid(self) -> int:
        """The process id."""
        return self._process.pid


def read_buckets(folder: Path) -> dict[str, MemoryBucket]:
    """Return the buckets of a folder, one in each of its folders, with their objects in memory."""
    return {place.name: _in_memory(FolderBucket(place)) for place in folder.iterdir() if place.is_dir()}


def _in_memory(stored: FolderBucket) -> MemoryBucket:
    bucket = MemoryBucket()
    for key in stored.keys():  # noqa: SIM118 - not a mapping
        bucket.put(key, *stored.get(key))
    return bucket
