"""CloudTrail's operations over HTTP: AWS JSON 1.1, for an unmodified boto3 client."""

from __future__ import annotations

import asyncio
from collections.abc import Hashable
from typing import Final

from aiohttp import web

from devstack.simulator import errors, request
from devstack.simulator.errors import ApiError
from devstack.simulator.faults import FaultKind
from devstack.simulator.identities import Identity, Signer
from devstack.simulator.json_answers import make_answer, make_error, read_body
from devstack.simulator.lookup import Page
from devstack.simulator.service import Service
from devstack.simulator.serving import break_connection, serve_operation
from devstack.simulator.statistics import AccountStatistics, RegionStatistics
from devstack.simulator.trail_operations import OPERATIONS

LOOKUP: Final = "LookupEvents"

_TARGET: Final = "com.amazonaws.cloudtrail.v20131101.CloudTrail_20131101."
TARGET: Final = f"{_TARGET}{LOOKUP}"


class Protocol:
    """Handles requests to CloudTrail."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def handle(self, http: web.Request, signed: Signer) -> web.Response:
        """Return the operation's answer, or one of the API's errors."""
        try:
            operation = http.headers.get("X-Amz-Target", "").removeprefix(_TARGET)
            self._service.statistics.operations[operation] += 1
            if operation == LOOKUP:
                return await self._lookup(http, signed)
            if operation in OPERATIONS:
                return await self._answer(http, signed, operation)
            raise errors.unknown_operation(http.headers.get("X-Amz-Target", ""))
        except ApiError as error:
            return make_error(error)

    async def _lookup(self, http: web.Request, signed: Signer) -> web.Response:
        statistics = self._service.statistics
        counts = statistics.regions[signed.region]
        counts.called(http.headers.get("User-Agent", ""))
        try:
            caller = self._admit(signed)
        except ApiError:
            counts.failed += 1
            raise
        return await self._look_up(http, signed, caller, (counts, statistics.accounts[caller.account]))

    async def _look_up(
        self,
        http: web.Request,
        signed: Signer,
        caller: Identity,
        counts: tuple[RegionStatistics, AccountStatistics],
    ) -> web.Response:
        service, region = self._service, signed.region
        of_region, of_account = counts
        of_account.calls += 1
        try:
            if not service.quota.take(caller.account, region):
                raise errors.throttled()
            caller.check(f"cloudtrail:{LOOKUP}")
            fault = service.faults.strike(region, LOOKUP, caller.account)
            page, place = await self._page(http, signed, caller, fault)
        except ApiError as error:
            is_throttled = error.code == errors.throttled().code
            for one in counts:
                one.throttled += is_throttled
                one.failed += not is_throttled
            raise
        of_account.events += len(page.events)
        if fault is not None:
            of_region.failed += 1
            of_account.failed += 1
            break_connection(http)
        elif http.transport is not None and not http.transport.is_closing():
            of_region.served(place, (event.get("EventId", "") for event in page.events))
        return make_answer(page.body)

    async def _answer(self, http: web.Request, signed: Signer, operation: str) -> web.Response:
        """Answer a request about trails. AWS documents another quota for these, which the simulator leaves out."""
        service = self._service
        caller = self._admit(signed)
        caller.check(f"cloudtrail:{operation}")
        body = await read_body(http)

        def answer() -> dict[str, object]:
            return OPERATIONS[operation](service.trail_operations, body, caller.account, signed.region)

        return make_answer(await serve_operation(service, http, signed, caller, operation, answer))

    def _admit(self, signed: Signer) -> Identity:
        """Return the identity of a request."""
        caller = self._service.identities.find(signed)
        if not self._service.offers(caller.account, signed.region):
            raise errors.unrecognized_client()
        return caller

    async def _page(
        self, http: web.Request, signed: Signer, caller: Identity, fault: FaultKind | None
    ) -> tuple[Page, tuple[Hashable, Hashable]]:
        """Return a page and its place among all."""
        service = self._service
        error = fault.error(caller.arn, f"cloudtrail:{LOOKUP}") if fault else None
        if error is not None:
            raise error
        if fault is FaultKind.RESET:
            return Page((), None), (None, None)
        asked = request.read(await read_body(http), caller.account, signed.region)
        await asyncio.sleep(service.settings.latency)
        page = service.lookup.page(asked)
        service.statistics.regions[signed.region].made(len(page.events))
        return page, service.lookup.place(asked)
