"""The simulator's own HTTP interface, for tests, under ``/_control``.

- ``GET /faults`` lists the active faults, ``POST`` adds one (``{"kind": …, "region": …, "count": …,
  "probability": …}``), ``DELETE`` clears all.
- ``GET /answers`` returns the way in which LookupEvents answers, ``POST`` changes it (a JSON object of
  `unruly.Answers`), ``DELETE`` restores the normal way.
- ``GET /statistics`` returns the number of requests, pages and events of LookupEvents by region;
  ``GET /operations`` the number of requests by operation.
- ``GET /trails`` lists the trails, ``POST`` adds or replaces one (a JSON object of `trails.trail.Trail`),
  ``DELETE`` deletes all.
- ``GET /events?region=…&start=…&end=…[&account=…][&state=arrived|pending|insights]`` lists the existing events as
  NDJSON, newest first: management events, or the Insights events that have arrived. Both ends are included; they
  are epoch seconds or ISO times. ``arrival`` is the time at which a lookup can first return the event.
- ``/accounts``, ``/roles`` and ``/sessions`` are in `account_control`.
- ``POST /clock`` (``{"offset": seconds}``) shifts the time, which passes; with ``{"now": epoch seconds}`` it
  stands still. ``POST /arrivals`` (``{eventID: epoch seconds}``) sets the times at which events arrive.
"""

from __future__ import annotations

import asyncio
import itertools
from collections.abc import Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any, Final

import orjson
from aiohttp import web

from devstack.simulator.faults import Fault, FaultKind
from devstack.simulator.organization import DEFAULT_ACCOUNT
from devstack.simulator.service import Service
from devstack.simulator.store import Arrived, Entry, Span
from devstack.simulator.trails.trail import Trail
from devstack.simulator.unruly import Answers

PREFIX: Final = "/_control"

_LINES_AT_ONCE: Final = 500


class Control:
    """Handles the requests of this interface."""

    def __init__(self, service: Service) -> None:
        self._service = service

    def routes(self) -> list[web.RouteDef]:
        """Return the routes."""
        return [
            web.get(f"{PREFIX}/faults", self._list_faults),
            web.post(f"{PREFIX}/faults", self._add_fault),
            web.delete(f"{PREFIX}/faults", self._clear_faults),
            web.get(f"{PREFIX}/answers", self._tell_answers),
            web.post(f"{PREFIX}/answers", self._change_answers),
            web.delete(f"{PREFIX}/answers", self._reset_answers),
            web.get(f"{PREFIX}/statistics", self._statistics),
            web.get(f"{PREFIX}/operations", self._operations),
            web.get(f"{PREFIX}/trails", self._list_trails),
            web.post(f"{PREFIX}/trails", self._add_trail),
            web.delete(f"{PREFIX}/trails", self._clear_trails),
            web.get(f"{PREFIX}/events", self._events),
            web.post(f"{PREFIX}/clock", self._set_clock),
            web.post(f"{PREFIX}/arrivals", self._set_arrivals),
        ]

    async def _list_faults(self, http: web.Request) -> web.Response:
        del http
        return web.json_response(self._service.faults.listed())

    async def _add_fault(self, http: web.Request) -> web.Response:
        body = await read_object(http)
        try:
            fault = Fault(**{**body, "kind": FaultKind(body.get("kind", ""))})
        except (TypeError, ValueError) as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from error
        self._service.faults.add(fault)
        return web.json_response(self._service.faults.listed())

    async def _clear_faults(self, http: web.Request) -> web.Response:
        del http
        self._service.faults.clear()
        return web.json_response([])

    async def _tell_answers(self, http: web.Request) -> web.Response:
        del http
        return web.json_response(self._service.lookup.answers.as_json())

    async def _change_answers(self, http: web.Request) -> web.Response:
        body = await read_object(http)
        try:
            self._service.lookup.answers = Answers.read(body)
        except (AttributeError, TypeError, ValueError) as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from error
        return web.json_response(self._service.lookup.answers.as_json())

    async def _reset_answers(self, http: web.Request) -> web.Response:
        del http
        self._service.lookup.answers = Answers()
        return web.json_response(Answers().as_json())

    async def _statistics(self, http: web.Request) -> web.Response:
        del http
        return web.json_response(self._service.statistics.as_json())

    async def _operations(self, http: web.Request) -> web.Response:
        del http
        return web.json_response(self._service.statistics.operations)

    async def _list_trails(self, http: web.Request) -> web.Response:
        del http
        return web.json_response([asdict(trail) for trail in self._service.trails.values()])

    async def _add_trail(self, http: web.Request) -> web.Response:
        body = await read_object(http)
        try:
            trail = Trail(**body)
        except TypeError as error:
            raise web.HTTPBadRequest(text=f"{error}\n") from error
        self._service.trails[trail.arn] = trail
        return await self._list_trails(http)

    async def _clear_trails(self, http: web.Request) -> web.Response:
        self._service.trails.clear()
        return await self._list_trails(http)

    async def _set_clock(self, http: web.Request) -> web.Response:
        body = await read_object(http)
        if "now" in body:
            self._service.clock.stand_at(float(body["now"]))
        else:
            self._service.clock.shift(float(body.get("offset", 0)))
        return web.json_response({"now": self._service.clock.now()})

    async def _set_arrivals(self, http: web.Request) -> web.Response:
        body = await read_object(http)
        self._service.arrived.schedule.update({event_id: float(time) for event_id, time in body.items()})
        return web.json_response({"scheduled": len(body)})

    async def _events(self, http: web.Request) -> web.StreamResponse:
        state = http.query.get("state", "arrived")
        entries = self._listed(state, _span(http))
        store = self._service.insights if state == "insights" else self._service.arrived
        stream = web.StreamResponse(headers={"Content-Type": "application/x-ndjson"})
        await stream.prepare(http)
        while lines := [_line(entry, store) for entry in itertools.islice(entries, _LINES_AT_ONCE)]:
            await stream.write(b"".join(lines))
            await asyncio.sleep(0)
        return stream

    def _listed(self, state: str, span: Span) -> Iterator[Entry]:
        if state == "arrived":
            return self._service.truth(span)
        if state == "pending":
            return self._service.pending(span)
        if state == "insights":
            return self._service.insights_truth(span)
        raise web.HTTPBadRequest(text="state must be arrived, pending or insights\n")


def _span(http: web.Request) -> Span:
    query = http.query
    try:
        start, end = _seconds(query["start"]), _seconds(query["end"])
        return Span(query.get("account", DEFAULT_ACCOUNT), query["region"], start, end)
    except (KeyError, ValueError) as error:
        raise web.HTTPBadRequest(text="region, start and end are needed, the times in seconds or ISO\n") from error


def _seconds(text: str) -> int:
    if text.isdigit():
        return int(text)
    time = datetime.fromisoformat(text)
    return int((time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp())


def _line(entry: Entry, store: Arrived) -> bytes:
    event = {"eventID": entry.id, "eventTime": entry.time, "arrival": store.arrival(entry)}
    return orjson.dumps(event) + b"\n"


async def read_object(http: web.Request) -> dict[str, Any]:
    """Return the JSON object of a request.

    :raises web.HTTPBadRequest: the body is not a JSON object
    """
    try:
        body = orjson.loads(await http.read())
    except orjson.JSONDecodeError as error:
        raise web.HTTPBadRequest(text="the body must be JSON\n") from error
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="the body must be a JSON object\n")
    return body
