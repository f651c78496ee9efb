"""How to reach a search server."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from cloudtrail_elasticsearch.core.errors import ConfigurationError


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """A server's address and how to identify to it; secrets never show in its repr.

    `aws_credentials` are botocore credentials: with them and `aws_region` requests are signed (SigV4), for
    Amazon OpenSearch Service (`aws_service` ``es``) or Serverless (``aoss``).
    """

    url: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    verify_certs: bool = True
    ca_certs: str | None = None
    timeout: float = 60.0
    aws_credentials: Any = field(default=None, repr=False)
    aws_region: str | None = None
    aws_service: str = "es"
    compress: bool = False
    """Whether requests are compressed: pays where the network is slow or billed, and costs both ends processor."""

    @classmethod
    def from_url(cls, url: str, **others: Any) -> SearchSettings:
        """Read a URL; a user and password in it are taken out of it.

        :raises ConfigurationError: it is not an http or https URL
        """
        parts = urlsplit(url)
        try:
            port = parts.port
        except ValueError:
            port = -1
        if parts.scheme not in {"http", "https"} or not parts.hostname or port == -1:
            raise ConfigurationError(
                "The search server's address is not a URL like https://search.example.com:9200."
            )
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        port = port or (443 if parts.scheme == "https" else 9200)
        plain = urlunsplit((parts.scheme, f"{host}:{port}", parts.path.rstrip("/"), "", ""))
        if parts.username:
            others = {"username": parts.username, "password": parts.password} | others
        return cls(url=plain, **others)
