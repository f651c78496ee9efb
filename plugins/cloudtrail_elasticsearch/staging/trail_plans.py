"""The plans of a trail's days in the staging bucket, so that an Airflow task need not pass thousands of windows.

::

    {prefix}/trail={bucket}/plans/date={YYYY-MM-DD}/{the first 16 digits of its SHA-256}.json
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date
from typing import Any, Final

from cloudtrail_elasticsearch.core.errors import StagingError
from cloudtrail_elasticsearch.staging.bucket import Bucket, Encryption
from cloudtrail_elasticsearch.staging.parts import digest
from cloudtrail_elasticsearch.staging.records import DEFAULT_PREFIX, JSON

_DIGITS: Final = 16


class TrailPlans:
    """Reads and writes plans with a boto3 S3 client of the staging bucket.

    :param bucket: the staging bucket
    :param encryption: returns how S3 encrypts the objects; it is called before the first write
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

    def write(self, trail_bucket: str, day: date, plan: bytes) -> str:
        """Write a day's plan, and return its key; equal plans have equal keys."""
        key = f"{self._prefix}/trail={trail_bucket}/plans/date={day}/{digest(plan)[:_DIGITS]}.json".lstrip("/")
        self._bucket.create(key, plan, JSON)
        return key

    def read(self, key: str) -> bytes:
        """Return a plan.

        :raises StagingError: it is missing or altered
        """
        stored = self._bucket.read(key)
        if stored is None or digest(stored.body)[:_DIGITS] != key.rpartition("/")[2].removesuffix(".json"):
            state = "is missing" if stored is None else "was altered"
            raise StagingError(
                f"The plan {self._bucket.uri(key)} {state}: clear the plan task, which makes it again."
            )
        return stored.body
