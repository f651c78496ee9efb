"""The faults and the latency of an operation other than LookupEvents. Their quotas are left out."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

from aiohttp import web

from devstack.simulator.identities import Identity, Signer
from devstack.simulator.service import Service


async def serve_operation(
    service: Service,
    http: web.Request,
    signed: Signer,
    caller: Identity,
    operation: str,
    answer: Callable[[], dict[str, Any]],
) -> dict[str, Any]:
    """Return what `answer` returns, after the latency.

    A fault that strikes the operation breaks the connection, or raises its error.

    :raises ApiError: a fault strikes, or `answer` raises it
    """
    fault = service.faults.strike(signed.region, operation, caller.account)
    error = fault.error(caller.arn, f"{signed.service}:{operation}") if fault else None
    if error is not None:
        raise error
    await asyncio.sleep(service.settings.latency)
    body = answer()
    if fault is not None:
        break_connection(http)
    return body


def break_connection(http: web.Request) -> None:
    """Close the connection without an answer."""
    if http.transport is not None:
        http.transport.abort()
