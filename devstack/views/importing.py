"""Import the views into a running Kibana or OpenSearch Dashboards, with its own API.

https://www.elastic.co/docs/api/doc/kibana/operation/operation-post-saved-objects-import
https://docs.opensearch.org/latest/dashboards/management/saved-objects/
"""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
import uuid
from base64 import b64encode
from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import unquote, urlsplit, urlunsplit

from cloudtrail_elasticsearch.core.index.index_pattern import IndexPattern
from devstack.views.products import PRODUCTS, Product, ndjson

_SECONDS: Final = 60


class ImportingError(Exception):
    """The views could not be imported; the message has the remedy."""


def import_views(url: str, pattern: IndexPattern) -> tuple[Product, int]:
    """Import all views for the indices of a pattern. They replace those of an earlier import.

    Returns the product, and the number of objects that it imported.

    :raises ImportingError: no such product answers, it denies the import, or it did not import every object
    """
    address, headers = _split(url)
    product = _product(address, headers)
    content_type, body = _form(product.file, ndjson(product, pattern))
    own = {f"{product.header}-xsrf": "true", "securitytenant": "global", "Content-Type": content_type}
    _, answer = _request(f"{address}/api/saved_objects/_import?overwrite=true", headers | own, body)
    result: dict[str, Any] = json.loads(answer)
    if not result.get("success"):
        raise ImportingError(f"{product.name} at {address} did not import all views: {result.get('errors')}")
    return product, int(result["successCount"])


def _split(url: str) -> tuple[str, dict[str, str]]:
    """Return the address without its user, and the Authorization header of that user."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ImportingError("The address is not a URL like http://user:password@127.0.0.1:5601.")
    address = urlunsplit((parts.scheme, parts.netloc.rpartition("@")[2], parts.path.rstrip("/"), "", ""))
    if not parts.username:
        return address, {}
    user = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
    return address, {"Authorization": f"Basic {b64encode(user.encode()).decode()}"}


def _product(address: str, headers: Mapping[str, str]) -> Product:
    """Return the product that answers; each names itself in the headers of all of its answers."""
    answered, _ = _request(f"{address}/api/status", headers)
    for product in PRODUCTS:
        if f"{product.header}-name" in answered:
            return product
    raise ImportingError(f"The server at {address} is neither Kibana nor OpenSearch Dashboards.")


def _form(name: str, content: bytes) -> tuple[str, bytes]:
    """Return the content type and the body of a form with one file in it."""
    boundary = uuid.uuid4().hex
    head = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
        f"Content-Type: application/ndjson\r\n\r\n"
    )
    body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
    return f"multipart/form-data; boundary={boundary}", body


def _request(
    url: str, headers: Mapping[str, str], body: bytes | None = None
) -> tuple[http.client.HTTPMessage, bytes]:
    request = urllib.request.Request(url, body, dict(headers))
    try:
        with urllib.request.urlopen(request, timeout=_SECONDS) as answer:
            return answer.headers, answer.read()
    except urllib.error.HTTPError as error:
        error.close()
        raise ImportingError(_refusal(url, error.code)) from error
    except (OSError, http.client.HTTPException) as error:
        raise ImportingError(f"{url} cannot be reached: {error}.") from error


def _refusal(url: str, status: int) -> str:
    if status in {401, 403}:
        return f"{url} answered {status}: name a user in the address who may import saved objects."
    return f"{url} answered {status}."
