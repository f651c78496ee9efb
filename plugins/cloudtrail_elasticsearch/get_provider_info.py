"""What Airflow's provider discovery asks for."""

from __future__ import annotations

from typing import Any, Final

_TEXT: Final = ["string", "null"]

FIELDS: Final[dict[str, dict[str, Any]]] = {
    "engine": {
        "label": "Engine",
        "description": "Where nothing is chosen, the server is asked.",
        "schema": {"type": _TEXT, "enum": ["elasticsearch", "opensearch"]},
    },
    "cloud_id": {
        "label": "Cloud ID",
        "description": "Of a deployment in Elastic Cloud, instead of a host.",
        "schema": {"type": _TEXT},
    },
    "api_key": {
        "label": "API key",
        "description": "Of Elasticsearch, instead of login and password: encoded, or id:key.",
        "schema": {"type": _TEXT, "format": "password"},
    },
    "ca_certs": {
        "label": "CA certificates",
        "description": "The path, on every node, of the authority to trust; empty for the usual ones.",
        "schema": {"type": _TEXT},
    },
    "verify_certs": {
        "label": "Verify certificates",
        "schema": {"type": ["boolean", "null"], "default": True},
    },
    "timeout": {
        "label": "Timeout",
        "description": "Seconds for one request.",
        "schema": {"type": ["number", "null"], "default": 60, "minimum": 1},
    },
    "compress": {
        "label": "Compress requests",
        "description": "Pays where the way to the server is slow, or billed by the byte.",
        "schema": {"type": ["boolean", "null"], "default": False},
    },
    "aws_conn_id": {
        "label": "AWS connection",
        "description": "Signs requests (SigV4), for Amazon OpenSearch Service: aws_default, say.",
        "schema": {"type": _TEXT},
    },
    "region_name": {
        "label": "AWS region",
        "description": "Of the domain, where the AWS connection has another region or none.",
        "schema": {"type": _TEXT},
    },
    "aws_service": {
        "label": "AWS service",
        "description": "es, or aoss for OpenSearch Serverless.",
        "schema": {"type": _TEXT, "enum": ["es", "aoss"]},
    },
}
"""The form's own fields, which Airflow keeps in the connection's extra under these names.

https://airflow.apache.org/docs/apache-airflow/stable/howto/connection.html
"""

_LINKS: Final = ("StagedObjectsLink", "DocumentsLink", "CoverageLink", "RunCoverageLink")

_LABELS: Final = {"host": "Host or URL", "port": "Port (Test needs it)", "schema": "Scheme"}
"""Airflow 3.3.2's button sends port 0 where none is saved, which its API takes for another server's."""


def get_provider_info() -> dict[str, Any]:
    """Return the provider's name, its connection type with its form, and the links of its tasks."""
    return {
        "package-name": "cloudtrail-elasticsearch",
        "name": "CloudTrail to Elasticsearch",
        "description": "Every CloudTrail event of an AWS account, in Elasticsearch or OpenSearch, proven.",
        "extra-links": [f"cloudtrail_elasticsearch.ui.links.{name}" for name in _LINKS],
        "connection-types": [
            {
                "connection-type": "cloudtrail_search",
                "hook-class-name": "cloudtrail_elasticsearch.hooks.search.SearchHook",
                "hook-name": "Elasticsearch or OpenSearch (CloudTrail)",
                "conn-fields": FIELDS,
                "ui-field-behaviour": {
                    "hidden-fields": [],
                    "relabeling": _LABELS,
                    "placeholders": {"host": "search.example.com", "port": "9200", "schema": "https"},
                },
            }
        ],
    }
