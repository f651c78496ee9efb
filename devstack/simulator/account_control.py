"""The part of the simulator's own HTTP interface that is about accounts, under ``/_control``.

- ``GET /accounts`` lists the accounts of the organization with their roles. ``GET /accounts/statistics`` returns
  the number of requests, events, opened sessions and requests with expired sessions by account.
- ``POST /roles`` (``{"account": …, "name": …, …}``, the members of `organization.Role`) creates or replaces a
  role, ``DELETE /roles?account=…&name=…`` deletes one.
- ``DELETE /sessions[?account=…]`` makes the present sessions of one account or of all expire at once.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import Final

from aiohttp import web

from devstack.simulator.control import PREFIX, read_object
from devstack.simulator.organization import Role
from devstack.simulator.service import Service

_NO_ACCOUNT: Final = "account must be the id of an account of the organization\n"


class AccountControl:
    """Handles the requests of this interface."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get(f"{PREFIX}/accounts", self._list_accounts),
            web.get(f"{PREFIX}/accounts/statistics", self._statistics),
            web.post(f"{PREFIX}/roles", self._put_role),
            web.delete(f"{PREFIX}/roles", self._remove_role),
            web.delete(f"{PREFIX}/sessions", self._expire_sessions),
        ]

    async def _list_accounts(self, http: web.Request) -> web.Response:
        del http
        return web.json_response([asdict(member) for member in self._service.organization.members()])

    async def _statistics(self, http: web.Request) -> web.Response:
        del http
        return web.json_response(self._service.statistics.accounts_as_json())

    async def _put_role(self, http: web.Request) -> web.Response:
        body = await read_object(http)
        account = str(body.pop("account", ""))
        try:
            self._service.organization.put_role(account, Role.read(body))
        except KeyError as error:
            raise web.HTTPBadRequest(text=_NO_ACCOUNT) from error
        except (TypeError, ValueError) as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from error
        return await self._list_accounts(http)

    async def _remove_role(self, http: web.Request) -> web.Response:
        try:
            self._service.organization.remove_role(http.query.get("account", ""), http.query.get("name", ""))
        except KeyError as error:
            raise web.HTTPBadRequest(text=_NO_ACCOUNT) from error
        return await self._list_accounts(http)

    async def _expire_sessions(self, http: web.Request) -> web.Response:
        known = [member.id for member in self._service.organization.members()]
        accounts = [http.query["account"]] if "account" in http.query else known
        if not set(accounts) <= set(known):
            raise web.HTTPBadRequest(text=_NO_ACCOUNT)
        for account in accounts:
            self._service.sessions.expire(account)
        return web.json_response(accounts)
