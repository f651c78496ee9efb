"""What Airflow's provider discovery asks for."""

from __future__ import annotations

from typing import Any


def get_provider_info() -> dict[str, Any]:
    """Return the provider's name and its connection type."""
    return {
        "package-name": "cloudtrail-elasticsearch",
        "name": "CloudTrail to Elasticsearch",
        "description": "Every CloudTrail event of an AWS account, in Elasticsearch or OpenSearch, proven.",
        "connection-types": [
            {
                "connection-type": "cloudtrail_search",
                "hook-class-name": "cloudtrail_elasticsearch.hooks.search.SearchHook",
                "hook-name": "Elasticsearch or OpenSearch (CloudTrail)",
            }
        ],
    }
