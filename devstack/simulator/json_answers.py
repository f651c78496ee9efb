"""AWS's JSON protocol: the body of a request, and answers."""

from __future__ import annotations

import uuid
from typing import Any

import orjson
from aiohttp import web

from devstack.simulator import errors
from devstack.simulator.errors import ApiError


async def read_body(http: web.Request) -> dict[str, Any]:
    """Return the JSON object of a request.

    :raises ApiError: the body is not a JSON object
    """
    try:
        body = orjson.loads(await http.read() or b"{}")
    except orjson.JSONDecodeError:
        raise errors.unreadable_body() from None
    if not isinstance(body, dict):
        raise errors.unreadable_body()
    return body


def make_answer(body: dict[str, Any], status: int = 200) -> web.Response:
    """Return an answer with this body."""
    return web.Response(
        body=orjson.dumps(body),
        status=status,
        content_type="application/x-amz-json-1.1",
        headers={"x-amzn-RequestId": str(uuid.uuid4())},
    )


def make_error(error: ApiError) -> web.Response:
    """Return an error's answer."""
    return make_answer({"__type": error.code, "message": error.message}, error.status)
