"""The operators' inputs and outputs as OpenLineage datasets; imported only if OpenLineage's provider is installed.

The names of S3 and search servers follow OpenLineage's conventions: https://openlineage.io/docs/spec/naming
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.providers.common.compat.openlineage.facet import Dataset
from airflow.providers.openlineage.extractors import OperatorLineage

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.core.coverage.windows import Window
    from cloudtrail_elasticsearch.core.search.server import SearchServer


def describe_fetch(windows: Iterable[Window], staged: Iterable[str]) -> OperatorLineage[Any, Any]:
    """Return the lineage of a fetch: from CloudTrail in accounts and regions to staged folders."""
    return OperatorLineage(
        inputs=[Dataset(f"cloudtrail://{window.account}", window.region) for window in windows],
        outputs=[_make_s3_dataset(each) for each in staged],
    )


def describe_load(staged: Iterable[str], server: SearchServer | None, index: str) -> OperatorLineage[Any, Any]:
    """Return the lineage of a load: from staged folders to an index; no index if no window has events."""
    outputs = [] if server is None else [Dataset(f"{server.engine}://{urlsplit(server.name).netloc}", index)]
    return OperatorLineage(inputs=[_make_s3_dataset(each) for each in staged], outputs=outputs)


def describe_list(trail: str, staged: str) -> OperatorLineage[Any, Any]:
    """Return the lineage of a listing: from a trail's folder to the folder of its manifests."""
    return OperatorLineage(inputs=[_make_s3_dataset(trail)], outputs=[_make_s3_dataset(staged)])


def describe_trail_load(
    trail: str, staged: str, server: SearchServer | None, index: str
) -> OperatorLineage[Any, Any]:
    """Return the lineage of a load of log files: from a trail's folder and its manifests to an index."""
    loaded = describe_load([staged], server, index)
    return OperatorLineage(inputs=[_make_s3_dataset(trail), *loaded.inputs], outputs=loaded.outputs)


def _make_s3_dataset(uri: str) -> Dataset:
    parts = urlsplit(uri)
    return Dataset(f"s3://{parts.netloc}", parts.path.strip("/"))
