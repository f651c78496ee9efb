"""CloudTrail's operations over HTTP: AWS JSON 1.1, for an unmodified boto3 client."""

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
from devstack.simulator.trail_operations import OPERATIONS

LOOKUP: Final = "LookupEvents"

_TARGET: Final = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101."
TARGET: Final = f"{_TARGET}{LOOKUP}"

_CREDENTIAL = re.compile(r"AWS4-HMAC-SHA256 Credential=(\w+)/\d{8}/([\w-]+)/cloudtrail/aws4_request,")


@dataclass(frozen=True, slots=True)
class Signer:
    """The signer of a request, and the region. The signature is not checked, because the secret is unknown."""

    access_key: str
    region: str


def signer(authorization: str | None) -> Signer:
    """Return the signer in a request's Authorization header.

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
        """Return the operation's answer, or one of the API's errors."""
        try:
            signed = signer(http.headers.get("Authorization"))
            operation = http.headers.get("X-Amz-Target", "").removeprefix(_TARGET)
            self._service.statistics.operations[operation] += 1
            if operation == LOOKUP:
                return await self._lookup(http, signed)
            if operation in OPERATIONS:
                return await self._answer(http, signed, operation)
            raise errors.unknown_operation(http.headers.get("X-Amz-Target", ""))
        except ApiError as error:
            return _json({"__type": error.code, "message": error.message}, error.status)

    async def _lookup(self, http: web.Request, signed: Signer) -> web.Response:
        service, region = self._service, signed.region
        counts = service.statistics.regions[region]
        counts.called(http.headers.get("User-Agent", ""))
        try:
            account = self._admit(signed)
            if not service.quota.take(account, region):
                raise errors.throttled()
            fault = service.faults.strike(region, LOOKUP)
            page, place = await self._page(http, signed, account, fault)
        except ApiError as error:
            counts.throttled += error.code == errors.throttled().code
            counts.failed += error.code != errors.throttled().code
            raise
        if fault is not None:
            counts.failed += 1
            _reset(http)
        elif http.transport is not None and not http.transport.is_closing():
            counts.served(place, (event.get("EventId", "") for event in page.events))
        return _json(page.body, 200)

    async def _answer(self, http: web.Request, signed: Signer, operation: str) -> web.Response:
        """Answer a request about trails. AWS documents another quota for these, which the simulator leaves out."""
        service = self._service
        account = self._admit(signed)
        fault = service.faults.strike(signed.region, operation)
        error = fault.error(account, operation) if fault else None
        if error is not None:
            raise error
        body = await _body(http)
        await asyncio.sleep(service.settings.latency)
        answer = OPERATIONS[operation](service.trail_operations, body, account, signed.region)
        if fault is not None:
            _reset(http)
        return _json(answer, 200)

    def _admit(self, signed: Signer) -> str:
        """Return the account of a request."""
        service = self._service
        account = service.settings.account_of(signed.access_key)
        if account is None or not service.offers(signed.region):
            raise errors.unrecognized_client()
        return account

    async def _page(
        self, http: web.Request, signed: Signer, account: str, fault: FaultKind | None
    ) -> tuple[Page, tuple[Hashable, Hashable]]:
        """Return a page and its place among all."""
        service = self._service
        error = fault.error(account, LOOKUP) if fault else None
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
