"""Reading ahead: the order, the bounds, and errors."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from cloudtrail_elasticsearch.core.errors import AccessDeniedError, TransientError
from cloudtrail_elasticsearch.sources.trail.bucket import ReadObject
from cloudtrail_elasticsearch.sources.trail.read_ahead import AheadSettings, ReadAhead
from cloudtrail_elasticsearch.staging import TrailFile


class SlowBucket:
    """Objects of any key that take a while; it records the most at once, in number and in bytes."""

    def __init__(self, seconds: float = 0.002) -> None:
        self._seconds = seconds
        self._lock = threading.Lock()
        self.started: list[str] = []
        self.most = self._running = 0

    def get(self, key: str, size: int) -> ReadObject | None:
        with self._lock:
            self.started.append(key)
            self._running += 1
            self.most = max(self.most, self._running)
        # The first of each ten is the slowest.
        time.sleep(self._seconds * (10 if key.endswith("0") else 1))
        with self._lock:
            self._running -= 1
        if key == "missing":
            return None
        if key == "denied":
            raise AccessDeniedError("the permission s3:GetObject is missing")
        if key == "failing":
            raise TransientError("Reading s3://b/failing: S3 has a temporary fault.")
        return ReadObject(b"x" * size, "etag", {})


def files(*sizes: int) -> list[TrailFile]:
    return [TrailFile(f"{number:04d}", size, "etag", None) for number, size in enumerate(sizes)]


def named(key: str) -> TrailFile:
    return TrailFile(key, 1, "etag", None)


def reader(bucket: Any, **settings: int) -> ReadAhead:
    return ReadAhead(bucket, AheadSettings(**settings))


@pytest.mark.promise("order-free")
def test_objects_come_in_the_order_of_the_request() -> None:
    """However long each takes."""
    bucket = SlowBucket()
    wanted = files(*[1] * 100)
    assert [read.file for read in reader(bucket, files=16, bytes=10**6).read(wanted)] == wanted
    assert 4 <= bucket.most <= 16


@pytest.mark.promise("bounded")
def test_the_bytes_ahead_are_bounded() -> None:
    """The object in use counts until the next one is asked for; a larger one than the bound is read alone."""
    bucket = SlowBucket(0.0)
    sizes = [10, 10, 10, 500, 10, 40, 60, 40, 10]
    read, most = [], 0
    for found in reader(bucket, files=4, bytes=100).read(files(*sizes)):
        time.sleep(0.005)
        read.append(found.file.key)
        ahead = [sizes[int(key)] for key in bucket.started if key not in read[:-1]]
        assert len(ahead) <= 4
        assert sum(ahead) <= 100 or len(ahead) == 1
        most = max(most, sum(ahead))
    assert read == [f"{number:04d}" for number in range(len(sizes))]
    assert most == 500


def test_a_missing_and_a_denied_object_stop_no_others() -> None:
    found = list(reader(SlowBucket()).read([named("a"), named("missing"), named("denied"), named("b")]))
    assert [each.found is not None for each in found] == [True, False, False, True]
    assert [bool(each.denial) for each in found] == [False, False, True, False]


def test_a_lasting_fault_is_raised_after_the_objects_before_it() -> None:
    reading = reader(SlowBucket()).read([named("a"), named("failing"), named("b")])
    assert next(reading).file.key == "a"
    with pytest.raises(TransientError, match="s3://b/failing"):
        next(reading)


def test_an_early_end_of_the_reader_ends_the_reads() -> None:
    bucket = SlowBucket()
    reading: Any = reader(bucket, files=4, bytes=10**6).read(files(*[1] * 1000))
    next(reading)
    reading.close()
    assert len(bucket.started) < 20
