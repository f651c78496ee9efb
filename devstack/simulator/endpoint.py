"""The one address of all services: a request goes to the service that it was signed for."""

from __future__ import annotations

from typing import Final

from aiohttp import web

from devstack.simulator import errors, json_answers
from devstack.simulator.errors import ApiError
from devstack.simulator.identities import Signer, read_signer
from devstack.simulator.list_accounts import list_accounts
from devstack.simulator.protocol import Protocol
from devstack.simulator.query_protocol import QueryProtocol
from devstack.simulator.service import Service
from devstack.simulator.serving import serve_operation

LIST_ACCOUNTS: Final = "ListAccounts"

_TARGET: Final = "AWSOrganizationsV20161128."


class Endpoint:
    """Handles requests to all services."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._queries = QueryProtocol(service)
        self._handlers = {
            "cloudtrail": Protocol(service).handle,
            "organizations": self._organizations,
            "ec2": self._queries.handle,
            "sts": self._queries.handle,
        }

    async def handle(self, http: web.Request) -> web.Response:
        """Return the service's answer; an unsigned request gets CloudTrail's error."""
        try:
            signed = read_signer(http.headers)
        except ApiError as error:
            return json_answers.make_error(error)
        return await self._handlers[signed.service](http, signed)

    async def _organizations(self, http: web.Request, signed: Signer) -> web.Response:
        try:
            target = http.headers.get("X-Amz-Target", "")
            if target != f"{_TARGET}{LIST_ACCOUNTS}":
                raise errors.unknown_operation(target)
            self._service.statistics.operations[LIST_ACCOUNTS] += 1
            return json_answers.make_answer(await self._list_accounts(http, signed))
        except ApiError as error:
            return json_answers.make_error(error)

    async def _list_accounts(self, http: web.Request, signed: Signer) -> dict[str, object]:
        service = self._service
        caller = service.identities.find(signed)
        caller.check(f"organizations:{LIST_ACCOUNTS}")
        body = await json_answers.read_body(http)
        return await serve_operation(
            service, http, signed, caller, LIST_ACCOUNTS, lambda: list_accounts(service.organization, body, caller)
        )
