"""Turns the fields of a search connection into `SearchSettings`."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, get_args
from urllib.parse import urlsplit

import msgspec

from cloudtrail_elasticsearch.core.encoding import typed
from cloudtrail_elasticsearch.core.errors import ConfigurationError
from cloudtrail_elasticsearch.core.nearest import find_nearest_name, find_nearest_spelling
from cloudtrail_elasticsearch.core.search.server import Engine
from cloudtrail_elasticsearch.sinks.settings import SearchSettings

OWN_KIND: Final = "cloudtrail_search"
"""The loader's own connection type."""

ENGINES: Final[tuple[Engine, ...]] = get_args(Engine)


class Extra(msgspec.Struct, frozen=True, kw_only=True):
    """The fields of a connection's extra; the form in `get_provider_info` has the same names.

    Empty values count as missing, because saving the form may write all of its fields.
    """

    engine: str | None = None
    cloud_id: str | None = None
    api_key: str | tuple[str, str] | None = None
    ca_certs: str | None = None
    verify_certs: bool = True
    timeout: Annotated[float, msgspec.Meta(gt=0, le=86_400)] = 60.0
    compress: bool = False
    aws_conn_id: str | None = None
    region_name: str | None = None
    aws_service: Literal["es", "aoss"] = "es"
    http_scheme: str | None = None
    """From Airflow's connection type ``elasticsearch``."""
    use_ssl: bool = False
    """From Airflow's connection type ``opensearch``."""

    def __repr__(self) -> str:
        # Names only, because values can be secrets.
        names = ", ".join(name for name in self.__struct_fields__ if getattr(self, name) is not None)
        return f"{type(self).__name__}({names})"

    @property
    def is_signed(self) -> bool:
        """Whether requests are signed, for Amazon OpenSearch Service."""
        return self.aws_conn_id is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchConnection:
    """A connection's fields as entered in Airflow; its repr has no secrets.

    `name` begins every error message: ``The connection elasticsearch_default``. `kind` is the connection type.
    """

    name: str
    kind: str
    host: str | None = field(repr=False)
    port: int | None
    scheme: str | None
    login: str | None
    password: str | None = field(repr=False)
    extra: Extra

    @property
    def engine(self) -> Engine | None:
        """The engine; None if it must be detected from the server.

        :raises ConfigurationError: the engine is unknown, or contradicts another field
        """
        chosen = self.extra.engine
        if chosen is not None and chosen not in ENGINES:
            raise self._make_error(f"has engine {chosen!r}: choose elasticsearch or opensearch.")
        if chosen == "opensearch" and self.extra.cloud_id:
            raise self._make_error(
                "has a cloud_id, which belongs to Elastic Cloud, but engine opensearch: remove one of them."
            )
        if chosen == "elasticsearch" and self.extra.is_signed:
            raise self._make_error(
                "has an aws_conn_id, which signs requests to Amazon OpenSearch Service, but engine elasticsearch: "
                "remove one of them."
            )
        if self.extra.cloud_id:
            # Only Elastic Cloud has Cloud IDs.
            return "elasticsearch"
        return next((engine for engine in ENGINES if engine == (chosen or self.kind)), None)

    def settings(self, signing: Mapping[str, Any]) -> SearchSettings:
        """Return the server's settings; `signing` has the arguments of `SearchSettings` for signed requests.

        :raises ConfigurationError: a field is missing, wrong or contradictory; the message names the fix
        """
        extra = self.extra
        if extra.is_signed and extra.api_key:
            raise self._make_error("has an aws_conn_id and an api_key: remove one of them.")
        if extra.region_name and not extra.is_signed:
            raise self._make_error(
                "has a region_name but no aws_conn_id: add the AWS connection that signs requests, such as "
                "aws_default, or remove the region."
            )
        login = {"username": self.login, "password": self.password} if self.login else {}
        return SearchSettings.from_url(
            self._url,
            api_key=self._api_key,
            ca_certs=extra.ca_certs,
            verify_certs=extra.verify_certs,
            timeout=extra.timeout,
            compress=extra.compress,
            aws_service=extra.aws_service,
            **login,
            **signing,
        )

    @property
    def _url(self) -> str:
        host, cloud_id = (self.host or "").strip(), self.extra.cloud_id
        if cloud_id and host:
            raise self._make_error(
                "has a host and a cloud_id, but only one address is possible: remove one of them."
            )
        if cloud_id:
            return self._decode_cloud_id(cloud_id)
        if not host:
            raise self._make_error("has no host: enter the server's name or URL, or a cloud_id for Elastic Cloud.")
        if "://" not in host:
            host = f"{self._scheme}://{host}"
        elif self.kind not in ENGINES and self.scheme and not host.startswith(f"{self.scheme}://"):
            raise self._make_error(
                f"has a URL as its host, and another scheme, {self.scheme!r}: remove the scheme."
            )
        return self._add_port(host)

    def _add_port(self, url: str) -> str:
        if not self.port:
            return url
        try:
            parts = urlsplit(url)
            own = parts.port
        except ValueError:
            raise self._make_error(
                "has a host that is not a name or URL like https://search.example.com:9200."
            ) from None
        # Two different ports: one of them is a mistake.
        if own not in {None, self.port}:
            raise self._make_error(f"has port {own} in its host, but {self.port} as its port: remove one of them.")
        return url if own else parts._replace(netloc=f"{parts.netloc.rstrip(':')}:{self.port}").geturl()

    @property
    def _scheme(self) -> str:
        # Amazon's endpoints use https, and connections of the type opensearch have `use_ssl`.
        secure = self.extra.is_signed or self.extra.use_ssl
        return self.scheme or self.extra.http_scheme or ("https" if secure else "http")

    def _decode_cloud_id(self, cloud_id: str) -> str:
        """Return the URL in a cloud id, decoded by elasticsearch-py's transport."""
        from elastic_transport.client_utils import parse_cloud_id

        try:
            address = parse_cloud_id(cloud_id.strip()).es_address
        except ValueError:
            address = None
        if address is None:
            raise self._make_error(
                "has a cloud_id that cannot be decoded: copy all of it from its page in Elastic Cloud. "
                "It looks like name:dXMtZWFzdC0x…"
            )
        host, port = address
        return f"https://{host}:{port}"

    @property
    def _api_key(self) -> str | None:
        """The key in the form that the server expects: ``id:key`` in Base64, which never contains a colon.

        https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-security-create-api-key
        """
        given = self.extra.api_key
        if given is None:
            return None
        text = (given if isinstance(given, str) else ":".join(given)).strip()
        # The id and the key, which the server expects in Base64.
        if ":" in text:
            return base64.b64encode(text.encode()).decode()
        if not text.isascii() or any(letter.isspace() for letter in text):
            raise self._make_error(
                "has an api_key that is not valid: enter the value 'encoded' that Elasticsearch returns with a "
                "new key, or the id and the key with a colon between them."
            )
        return text

    def _make_error(self, what: str) -> ConfigurationError:
        return ConfigurationError(f"{self.name} {what}")


def read_extra(name: str, extra: Mapping[str, Any], kind: str = OWN_KIND) -> Extra:
    """Return a connection's extra; connection URIs hold only texts, so ``"60"`` and ``"true"`` are accepted too.

    :param kind: the connection type. The loader's own type accepts only the names of `Extra`. Other types share
        their extra with their own hooks, so there only a misspelt name of `Extra` is rejected.
    :raises ConfigurationError: a name is misspelt, or a value has the wrong type; the message names the field, and
        quotes no secret
    """
    _check_names(name, extra, kind)
    given = {field: value for field, value in extra.items() if value not in (None, "")}
    try:
        return typed.convert(given, Extra, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigurationError(
            f"{name} has an invalid value in its extra: {error}. docs/getting-started.md describes each field."
        ) from None


_NEARLY: Final = 0.8
"""The least similarity of a misspelt name. The clients' own options are less similar to the names of `Extra`.

https://elasticsearch-py.readthedocs.io/en/stable/api/elasticsearch.html
https://opensearch-project.github.io/opensearch-py/api-ref/connection.html
"""


def _check_names(name: str, extra: Mapping[str, Any], kind: str) -> None:
    known = Extra.__struct_fields__
    for given in sorted(extra.keys() - set(known)):
        meant = (
            find_nearest_name(given, known) if kind == OWN_KIND else find_nearest_spelling(given, known, _NEARLY)
        )
        if meant is None and kind != OWN_KIND:
            continue
        hint = f" Did you mean {meant}?" if meant else ""
        raise ConfigurationError(
            f"{name} has {given[:50]!r} in its extra, an unknown field.{hint} The fields are {', '.join(known)}."
        )
