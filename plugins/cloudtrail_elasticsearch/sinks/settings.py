"""A search server's address, credentials and TLS settings."""

from __future__ import annotations

import base64
import json
import ssl
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from cloudtrail_elasticsearch.core.errors import ConfigurationError

_SHORTEST: Final = 4
"""Characters; a shorter secret would match parts of ordinary text."""


@dataclass(frozen=True, slots=True)
class SearchSettings:
    """A server's address and credentials; its repr has no secrets.

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
    """Whether to compress requests: useful if the network is slow or billed; costs processor time on both ends."""

    @classmethod
    def from_url(cls, url: str, **others: Any) -> SearchSettings:
        """Return the settings for a URL; a user and password in the URL move to their own fields.

        :raises ConfigurationError: it is not an http or https URL, or `ca_certs` is not a file of certificates
        """
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            # Not chained, because the parser's message quotes parts of the URL, which can have a password.
            raise _make_url_error() from None
        if parts.scheme not in {"http", "https"} or not parts.hostname or " " in parts.hostname:
            raise _make_url_error()
        if others.get("ca_certs"):
            _check_ca_file(others["ca_certs"])
        # urlsplit removes the brackets of an IPv6 address.
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        port = port or (443 if parts.scheme == "https" else 9200)
        plain = urlunsplit((parts.scheme, f"{host}:{port}", parts.path.rstrip("/"), "", ""))
        if parts.username:
            others = {"username": unquote(parts.username), "password": unquote(parts.password or "")} | others
        return cls(url=plain, **others)

    @property
    def authorization(self) -> dict[str, str]:
        """The authorization header, if requests are not signed; an API key takes precedence over a user."""
        if self.api_key:
            return {"authorization": f"ApiKey {self.api_key}"}
        if self.username and self.aws_credentials is None:
            login = f"{self.username}:{self.password or ''}".encode()
            return {"authorization": f"Basic {base64.b64encode(login).decode()}"}
        return {}

    @property
    def secrets(self) -> tuple[str, ...]:
        """The texts to remove from all messages: the password and API key, as given and as sent; longest first."""
        header = self.authorization.get("authorization", "").partition(" ")[2]
        given = {self.password or "", self.api_key or "", header, *_decode_secret(self.api_key)}
        # A message can hold a secret as it is, quoted for a URL, or escaped for JSON.
        forms = {form for text in given for form in (text, quote(text, safe=""), json.dumps(text)[1:-1])}
        # A short secret may be a part of a longer one, which would then not be found.
        return tuple(sorted((form for form in forms if len(form) >= _SHORTEST), key=len, reverse=True))

    @property
    def tls(self) -> dict[str, Any]:
        """The arguments about certificates, for both clients."""
        if not self.url.startswith("https"):
            return {}
        arguments = {"verify_certs": self.verify_certs, "ssl_show_warn": False}
        return arguments | ({"ca_certs": self.ca_certs} if self.ca_certs else {})


def _decode_secret(api_key: str | None) -> list[str]:
    """Return the secret part of an API key, which is ``id:key`` in Base64."""
    try:
        return base64.b64decode(api_key or "", validate=True).decode().split(":", 1)[1:]
    except ValueError:
        return []


def _check_ca_file(file: str) -> None:
    """Check the CA file now: both clients read it only when they first connect, and then hide the reason."""
    if not Path(file).is_file():
        raise ConfigurationError(
            f"The CA file {file} is not on this machine. Copy it to every node that connects to the search "
            f"server, or change ca_certs."
        )
    try:
        ssl.create_default_context(cafile=file)
    except OSError as error:  # ssl.SSLError is one
        raise ConfigurationError(
            f"The CA file {file} cannot be used ({error.strerror or 'no certificate'}): ca_certs must name a file "
            f"of certificates in PEM format."
        ) from None


def _make_url_error() -> ConfigurationError:
    return ConfigurationError("The search server's address is not a URL like https://search.example.com:9200.")
