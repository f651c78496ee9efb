"""How to reach a search server."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit, urlunsplit

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

        :raises ConfigurationError: it is not an http or https URL, or `ca_certs` names no file
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise _no_url() from None
        if parts.scheme not in {"http", "https"} or not parts.hostname:
            raise _no_url()
        ca_certs = others.get("ca_certs")
        if ca_certs and not Path(ca_certs).is_file():
            raise ConfigurationError(
                f"The certificate authority's file {ca_certs} is not on this machine. Put it there, on every node "
                f"that reaches the search server, or change ca_certs."
            )
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        port = port or (443 if parts.scheme == "https" else 9200)
        plain = urlunsplit((parts.scheme, f"{host}:{port}", parts.path.rstrip("/"), "", ""))
        if parts.username:
            others = {"username": unquote(parts.username), "password": unquote(parts.password or "")} | others
        return cls(url=plain, **others)

    @property
    def authorization(self) -> dict[str, str]:
        """The header that says who asks, where requests are not signed: an API key goes before a user."""
        if self.api_key:
            return {"authorization": f"ApiKey {self.api_key}"}
        if self.username and self.aws_credentials is None:
            login = f"{self.username}:{self.password or ''}".encode()
            return {"authorization": f"Basic {base64.b64encode(login).decode()}"}
        return {}

    @property
    def tls(self) -> dict[str, Any]:
        """What both clients are told of certificates."""
        if not self.url.startswith("https"):
            return {}
        told = {"verify_certs": self.verify_certs, "ssl_show_warn": False}
        return told | ({"ca_certs": self.ca_certs} if self.ca_certs else {})


def _no_url() -> ConfigurationError:
    return ConfigurationError("The search server's address is not a URL like https://search.example.com:9200.")
