"""The addresses of a stack's services, and the settings that point boto3 and Airflow to them."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from cloudtrail_elasticsearch.core.search.server import Engine

SEARCH_URL: Final = "CLOUDTRAIL_SEARCH_URL"
REGION: Final = "us-east-1"
ACCESS_KEY: Final = "testing"
SECRET_KEY: Final = "testing"

_SIMULATED: Final = ("CLOUDTRAIL", "EC2", "ORGANIZATIONS", "STS")


@dataclass(frozen=True, slots=True)
class Endpoints:
    """The URLs of the services, and the kind of the search server.

    :param aws: S3
    :param cloudtrail: the simulator, which also serves STS, EC2 and Organizations
    """

    aws: str
    cloudtrail: str
    search: str
    engine: Engine

    @property
    def urls(self) -> dict[str, str]:
        """The URLs by the names of their environment variables."""
        return {
            "AWS_ENDPOINT_URL_S3": self.aws,
            **{f"AWS_ENDPOINT_URL_{service}": self.cloudtrail for service in _SIMULATED},
            SEARCH_URL: self.search,
        }

    def environment(self) -> dict[str, str]:
        """Return the environment variables that make boto3 and Airflow use the stack and nothing else."""
        return {
            **self.urls,
            "AWS_ACCESS_KEY_ID": ACCESS_KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AIRFLOW_CONN_AWS_DEFAULT": json.dumps(_aws_connection()),
            "AIRFLOW_CONN_ELASTICSEARCH_DEFAULT": json.dumps(self._search_connection()),
        }

    def client(self, service: str) -> Any:
        """Return a boto3 client of one of the services."""
        import boto3

        return boto3.client(
            service,
            endpoint_url=self.aws if service == "s3" else self.cloudtrail,
            region_name=REGION,
            aws_access_key_id=ACCESS_KEY,
            aws_secret_access_key=SECRET_KEY,
        )

    def _search_connection(self) -> dict[str, object]:
        parts = urlsplit(self.search)
        return {
            "conn_type": "cloudtrail_search",
            "schema": parts.scheme,
            "host": parts.hostname,
            "port": parts.port,
            "login": unquote(parts.username or ""),
            "password": unquote(parts.password or ""),
            "extra": {"engine": self.engine},
        }


def _aws_connection() -> dict[str, object]:
    return {"conn_type": "aws", "login": ACCESS_KEY, "password": SECRET_KEY, "extra": {"region_name": REGION}}
