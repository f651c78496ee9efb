"""LookupEvents over HTTP: AWS JSON 1.1, as an unmodified boto3 client speaks it."""

from __future__ import annotations

import asyncio
import re
import uuid
from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any, Final

import orjson
from aiohttp import web

from devstack.simulator import errors, request
from devstack.simulator.errors import ApiError
from devstack.simulator.faults import FaultKind
from devstack.simulator.lookup import Page
from devstack.simulator.service import Service

TARGET: Final = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101.LookupEvents"

_CREDENTIAL = re.compile(r"AWS4-HMAC-SHA256 Credential=(\w+)/\d{8}/([\w-]+)/cloudtrail/aws4_request,")


@dataclass(frozen=True, slots=True)
class Signer:
    """Who signed a request, and for which region. The signature itself is not checked: no secret is known."""

    access_key: str
    region: str


def signer(authorization: str | None) -> Signer:
    """Return who signed a request by its Authorization header.

    :raises ApiError: there is none, or it is not Signature Version 4 for CloudTrail
    """
    if not authorization:
        raise errors.unsigned()
    found = _CREDENTIAL.match(authorization)
    if found is None:
        raise errors.incomplete_signature()
    return Signer(*found.groups())


class Protocol:
    """Handles requests to the service."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def handle(self, http: web.Request) -> web.Response:
        """Answer a request, with a page or with one of the API's errors."""
        try:
            signed = signer(http.headers.get("Authorization"))
            if http.headers.get("X-Amz-Target") != TARGET:
                raise errors.unknown_operation(http.headers.get("X-Amz-Target", ""))
            return await self._lookup(http, signed)
        except ApiError as error:
            return _json({"__type": error.code, "message": error.message}, error.status)

    async def _lookup(self, http: web.Request, signed: Signer) -> web.Response:
        service, region = self._service, signed.region
        counts = service.statistics.regions[region]
        counts.called(http.headers.get("User-Agent", ""))
        try:
            account = self._admit(signed)
            fault = service.faults.strike(region)
            page, place = await self._page(http, signed, account, fault)
        except ApiError as error:
            counts.throttled += error.code == errors.throttled().code
            counts.failed += error.code != errors.throttled().code
            raise
        if fault is not None:
            counts.failed += 1
            _reset(http)
        elif http.transport is not None and not http.transport.is_closing():
            counts.served(place, (event["EventId"] for event in page.events))
        return _json(page.body, 200)

    def _admit(self, signed: Signer) -> str:
        """Return the account of a request that is within the quota."""
        service = self._service
        account = service.settings.account_of(signed.access_key)
        if account is None or not service.offers(signed.region):
            raise errors.unrecognized_client()
        if not service.quota.take(account, signed.region):
            raise errors.throttled()
        return account

    async def _page(
        self, http: web.Request, signed: Signer, account: str, fault: FaultKind | None
    ) -> tuple[Page, tuple[Hashable, Hashable]]:
        """Return a page and its place among all."""
        service = self._service
        error = fault.error(account) if fault else None
        if error is not None:
            raise error
        if fault is FaultKind.RESET:
            return Page((), None), (None, None)
        asked = request.read(await _body(http), account, signed.region)
        await asyncio.sleep(service.settings.latency)
        page = service.lookup.page(asked)
        service.statistics.regions[signed.region].made(len(page.events))
        return page, service.lookup.place(asked)


async def _body(http: web.Request) -> dict[str, Any]:
    try:
        body = orjson.loads(await http.read() or b"{}")
    except orjson.JSONDecodeError:
        raise errors.unreadable_body() from None
    if not isinstance(body, dict):
        raise errors.unreadable_body()
    return body


def _json(body: dict[str, Any], status: int) -> web.Response:
    return web.Response(
        body=orjson.dumps(body),
        status=status,
        content_type="application/x-amz-json-1.1",
        headers={"x-amzn-RequestId": str(uuid.uuid4())},
    )


def _reset(http: web.Request) -> None:
    if http.transport is not None:
        http.transport.abort()
