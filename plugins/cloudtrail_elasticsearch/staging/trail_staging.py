"""The records of a trail's windows in the staging bucket; the log files stay where the trail wrote them.

::

    {prefix}/trail={bucket}/{root}/account={id}/region={region}/date={YYYY-MM-DD}/
        manifest.json, loaded.json, state/….json
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cloudtrail_elasticsearch.staging.bucket import Encryption
from cloudtrail_elasticsearch.staging.records import DEFAULT_PREFIX, WindowRecords
from cloudtrail_elasticsearch.staging.trail_manifest import TrailManifest


class TrailStaging(WindowRecords[TrailManifest]):
    """Reads and writes the records of one trail's windows with a boto3 S3 client of the staging bucket.

    :param bucket: the staging bucket
    :param trail_bucket: the bucket that the trail writes to
    :param root: the folder of the trail's accounts in it, such as ``AWSLogs/o-…/``: one bucket can have several
    :param encryption: returns how S3 encrypts the objects; it is called before the first write
    """

    decode_manifest = TrailManifest.decode

    def __init__(
        self,
        client: Any,
        bucket: str,
        trail_bucket: str,
        root: str,
        prefix: str = DEFAULT_PREFIX,
        encryption: Callable[[], Encryption] = Encryption,
    ) -> None:
        below = f"{prefix.strip('/')}/trail={trail_bucket}/{root.strip('/')}"
        super().__init__(client, bucket, below, encryption)
