"""The metadata that Airflow's provider discovery reads."""

from __future__ import annotations

from typing import Any, Final

_TEXT: Final = ["string", "null"]

FIELDS: Final[dict[str, dict[str, Any]]] = {
    "engine": {
        "label": "Engine",
        "description": "Empty: detected from the server.",
        "schema": {"type": _TEXT, "enum": ["elasticsearch", "opensearch"]},
    },
    "cloud_id": {
        "label": "Cloud ID",
        "description": "The Cloud ID of an Elastic Cloud deployment, instead of a host.",
        "schema": {"type": _TEXT},
    },
    "api_key": {
        "label": "API key",
        "description": "An Elasticsearch API key, instead of login and password: the encoded form, or id:key.",
        "schema": {"type": _TEXT, "format": "password"},
    },
    "ca_certs": {
        "label": "CA certificates",
        "description": "Path to a CA bundle, on every node. Empty: the system's CAs.",
        "schema": {"type": _TEXT},
    },
    "verify_certs": {
        "label": "Verify certificates",
        "schema": {"type": ["boolean", "null"], "default": True},
    },
    "timeout": {
        "label": "Timeout",
        "description": "Seconds that one request may take.",
        "schema": {"type": ["number", "null"], "default": 60, "minimum": 1},
    },
    "compress": {
        "label": "Compress requests",
        "description": "Useful if the network to the server is slow, or is billed by the byte.",
        "schema": {"type": ["boolean", "null"], "default": False},
    },
    "aws_conn_id": {
        "label": "AWS connection",
        "description": "Signs requests (SigV4) to Amazon OpenSearch Service with this AWS connection, "
        "such as aws_default.",
        "schema": {"type": _TEXT},
    },
    "region_name": {
        "label": "AWS region",
        "description": "The region of the domain, if the AWS connection has another region or none.",
        "schema": {"type": _TEXT},
    },
    "aws_service": {
        "label": "AWS service",
        "description": "es for Amazon OpenSearch Service, aoss for OpenSearch Serverless.",
        "schema": {"type": _TEXT, "enum": ["es", "aoss"]},
    },
}
"""The form's extra fields. Airflow stores them in the connection's extra under these names.

https://airflow.apache.org/docs/apache-airflow/stable/howto/connection.html
"""

_LINKS: Final = ("StagedObjectsLink", "DocumentsLink", "CoverageLink")

_LABELS: Final = {"host": "Host or URL", "port": "Port (Test needs it)", "schema": "Scheme"}
"""Airflow 3.3.2's Test button sends port 0 if none is saved; its API then treats it as another server's."""

CONFIG: Final[dict[str, dict[str, Any]]] = {
    "cloudtrail": {
        "description": "Settings of the CloudTrail loader that only the deployment's administrators can change.",
        "options": {
            "rules_folder": {
                "description": "The folder of the rules and fields files that variables and DAGs may refer to. "
                "Empty: the folder cloudtrail in Airflow's home.",
                "version_added": None,
                "type": "string",
                "example": "/opt/airflow/cloudtrail",
                "default": "",
            },
            "databases_folder": {
                "description": "The folder of the databases of addresses that variables and DAGs may refer to. "
                "Empty: the folder cloudtrail in Airflow's home.",
                "version_added": None,
                "type": "string",
                "example": "/usr/share/GeoIP",
                "default": "",
            },
        },
    }
}


def get_provider_info() -> dict[str, Any]:
    """Return the provider's name, its connection type with its form, and the links of its tasks."""
    return {
        "package-name": "cloudtrail-elasticsearch",
        "name": "CloudTrail to Elasticsearch",
        "description": "Loads every CloudTrail event of an AWS account into Elasticsearch or OpenSearch, "
        "and verifies it.",
        "config": CONFIG,
        "extra-links": [f"cloudtrail_elasticsearch.ui.operator_links.{name}" for name in _LINKS],
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
