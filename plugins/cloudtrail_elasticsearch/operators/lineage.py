"""What the operators read and write, as OpenLineage's datasets; imported where its provider asks for them alone.

Names of S3 and of search servers are by OpenLineage's conventions: https://openlineage.io/docs/spec/naming
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.providers.common.compat.openlineage.facet import Dataset
from airflow.providers.openlineage.extractors import OperatorLineage

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.core.index_setup import SearchServer
    from cloudtrail_elasticsearch.core.windows import Window


def of_fetch(window: Window, staged: str) -> OperatorLineage[Any, Any]:
    """Return the lineage of a fetch: from an account's region of CloudTrail to the folder of a URI."""
    return OperatorLineage(
        inputs=[Dataset(f"cloudtrail://{window.account}", window.region)], outputs=[_s3(staged)]
    )


def of_load(staged: str, server: SearchServer | None, index: str) -> OperatorLineage[Any, Any]:
    """Return the lineage of a load: from the folder of a URI to an index, where there was something to load."""
    outputs = [] if server is None else [Dataset(f"{server.engine}://{urlsplit(server.name).netloc}", index)]
    return OperatorLineage(inputs=[_s3(staged)], outputs=outputs)


def _s3(uri: str) -> Dataset:
    parts = urlsplit(uri)
    return Dataset(f"s3://{parts.netloc}", parts.path.strip("/"))
