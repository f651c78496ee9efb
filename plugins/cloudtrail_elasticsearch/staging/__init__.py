"""Staging: a window's events in S3, between CloudTrail and the search server."""

from __future__ import annotations

from cloudtrail_elasticsearch.staging.bucket import Encryption
from cloudtrail_elasticsearch.staging.manifest import LoadRecord, Manifest, Part
from cloudtrail_elasticsearch.staging.staging import DEFAULT_PREFIX, Staging

__all__ = ["DEFAULT_PREFIX", "Encryption", "LoadRecord", "Manifest", "Part", "Staging"]
