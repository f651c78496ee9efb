"""What a search connection says, made into `SearchSettings`."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal, get_args
from urllib.parse import urlsplit

import msgspec

from cloudtrail_elasticsearch.core.errors import ConfigurationError
from cloudtrail_elasticsearch.core.mapping import Engine
from cloudtrail_elasticsearch.sinks.settings import SearchSettings

ENGINES: Final[tuple[Engine, ...]] = get_args(Engine)


class Extra(msgspec.Struct, frozen=True, kw_only=True):
    """What a connection's extra may say; the form of `get_provider_info` has the same names.

    What is empty there counts as not said: a form that is saved may write all of its fields.
    """

    engine: str | None = None
    cloud_id: str | None = None
    api_key: str | tuple[str, str] | None = None
    ca_certs: str | None = None
    verify_certs: bool = True
    timeout: Annotated[float, msgspec.Meta(gt=0)] = 60.0
    compress: bool = False
    aws_conn_id: str | None = None
    region_name: str | None = None
    aws_service: Literal["es", "aoss"] = "es"
    http_scheme: str | None = None
    """Airflow's connections of the type ``elasticsearch`` have it."""
    use_ssl: bool = False
    """Airflow's connections of the type ``opensearch`` have it."""

    def __repr__(self) -> str:
        said = ", ".join(name for name in self.__struct_fields__ if getattr(self, name) is not None)
        return f"{type(self).__name__}({said})"

    @property
    def is_signed(self) -> bool:
        """Whether requests are signed, for Amazon OpenSearch Service."""
        return self.aws_conn_id is not None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchConnection:
    """A connection's fields, as a person fills them in; secrets never show in its repr.

    `name` is how errors begin: ``The connection elasticsearch_default``; `kind` is Airflow's type of connection.
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
        """Which server it is; None where the server is to be asked.

        :raises ConfigurationError: it says something else, or contradicts itself
        """
        said = self.extra.engine
        if said is not None and said not in ENGINES:
            raise self._wrong(f"has engine {said!r}: it is elasticsearch or opensearch.")
        if said == "opensearch" and self.extra.cloud_id:
            raise self._wrong(
                "has a cloud_id, which is Elastic Cloud's, but engine opensearch: remove one of them."
            )
        if said == "elasticsearch" and self.extra.is_signed:
            raise self._wrong(
                "has an aws_conn_id, with which requests are signed for Amazon OpenSearch Service, but engine "
                "elasticsearch: remove one of them."
            )
        if self.extra.cloud_id:
            return "elasticsearch"
        return next((engine for engine in ENGINES if engine == (said or self.kind)), None)

    def settings(self, signing: Mapping[str, Any]) -> SearchSettings:
        """Return how the server is reached; `signing` has what `SearchSettings` needs to sign requests.

        :raises ConfigurationError: something is missing, wrong or contradictory; the message says what to do
        """
        extra = self.extra
        if extra.is_signed and extra.api_key:
            raise self._wrong("has an aws_conn_id and an api_key: remove one of them.")
        if extra.region_name and not extra.is_signed:
            raise self._wrong(
                "has a region_name but no aws_conn_id: give the AWS connection to sign requests with, such as "
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
            raise self._wrong(
                "has a host and a cloud_id, and either says where the server is: remove one of them."
            )
        if cloud_id:
            return self._decoded(cloud_id)
        if not host:
            raise self._wrong("has no host: give the server's name or URL, or a cloud_id for Elastic Cloud.")
        if "://" not in host:
            host = f"{self._scheme}://{host}"
        elif self.kind not in ENGINES and self.scheme and not host.startswith(f"{self.scheme}://"):
            raise self._wrong(f"has a URL as its host, and another scheme, {self.scheme!r}: remove the scheme.")
        return self._with_port(host)

    def _with_port(self, url: str) -> str:
        if not self.port:
            return url
        try:
            parts = urlsplit(url)
            own = parts.port
        except ValueError:
            raise self._wrong(
                "has a host that is not a name or URL like https://search.example.com:9200."
            ) from None
        if own not in {None, self.port}:
            raise self._wrong(f"has port {own} in its host and port {self.port} beside it: remove one of them.")
        return url if own else parts._replace(netloc=f"{parts.netloc.rstrip(':')}:{self.port}").geturl()

    @property
    def _scheme(self) -> str:
        secure = self.extra.is_signed or self.extra.use_ssl
        return self.scheme or self.extra.http_scheme or ("https" if secure else "http")

    def _decoded(self, cloud_id: str) -> str:
        """Return the address in a cloud id, which elasticsearch-py's transport decodes."""
        from elastic_transport.client_utils import parse_cloud_id

        try:
            address = parse_cloud_id(cloud_id.strip()).es_address
        except ValueError:
            address = None
        if address is None:
            raise self._wrong(
                "has a cloud_id that cannot be decoded: copy it whole from its page in Elastic Cloud. "
                "It looks like name:dXMtZWFzdC0x…"
            )
        host, port = address
        return f"https://{host}:{port}"

    @property
    def _api_key(self) -> str | None:
        """The key as the server wants it: ``id:key`` in Base64, in which there is never a colon.

        https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-security-create-api-key
        """
        given = self.extra.api_key
        if given is None:
            return None
        text = (given if isinstance(given, str) else ":".join(given)).strip()
        if ":" in text:
            return base64.b64encode(text.encode()).decode()
        if not text.isascii() or any(letter.isspace() for letter in text):
            raise self._wrong(
                "has an api_key that is none: give what Elasticsearch calls encoded when it makes the key, or its "
                "id and the key with a colon between them."
            )
        return text

    def _wrong(self, what: str) -> ConfigurationError:
        return ConfigurationError(f"{self.name} {what}")


def read_extra(name: str, extra: Mapping[str, Any]) -> Extra:
    """Read a connection's extra; in URIs all values are texts, so texts that say a number or a truth are taken.

    :raises ConfigurationError: a value is of the wrong kind; the message names it, and never quotes a secret
    """
    said = {field: value for field, value in extra.items() if value not in (None, "")}
    try:
        return msgspec.convert(said, Extra, strict=False)
    except msgspec.ValidationError as error:
        raise ConfigurationError(
            f"{name} has something in its extra that cannot be used: {error}. docs/getting-started.md says what "
            f"each field takes."
        ) from None
