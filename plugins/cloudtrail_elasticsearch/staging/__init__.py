"""Staging: S3 stores a window's events between the fetch and the load, and the manifests of both sources."""

from __future__ import annotations

from cloudtrail_elasticsearch.staging.bucket import Encryption
from cloudtrail_elasticsearch.staging.manifest import LoadRecord, Manifest, Part
from cloudtrail_elasticsearch.staging.records import DEFAULT_PREFIX, Standing
from cloudtrail_elasticsearch.staging.staging import Staging
from cloudtrail_elasticsearch.staging.trail_manifest import TrailFile, TrailManifest
from cloudtrail_elasticsearch.staging.trail_plans import TrailPlans
from cloudtrail_elasticsearch.staging.trail_staging import TrailStaging

__all__ = [
    "DEFAULT_PREFIX",
    "Encryption",
    "LoadRecord",
    "Manifest",
    "Part",
    "Staging",
    "Standing",
    "TrailFile",
    "TrailManifest",
    "TrailPlans",
    "TrailStaging",
]
