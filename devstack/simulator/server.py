"""The simulator as a server: in a thread of a test, or as its own process."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from datetime import datetime
from types import TracebackType

from aiohttp import web

from devstack.simulator.account_control import AccountControl
from devstack.simulator.clock import Clock
from devstack.simulator.control import Control
from devstack.simulator.endpoint import Endpoint
from devstack.simulator.organization import DEFAULT_ACCOUNT
from devstack.simulator.service import Service
from devstack.simulator.settings import SimulatorSettings
from devstack.simulator.store import Span

_HOST = "127.0.0.1"


def application(service: Service) -> web.Application:
    """Return the web application that serves the APIs at `/` and the control interface under `/_control`."""
    app = web.Application()
    app.add_routes(
        [web.post("/", Endpoint(service).handle), *Control(service).routes(), *AccountControl(service).routes()]
    )
    return app


async def serve(service: Service, ready: Callable[[str], None], stop: asyncio.Event) -> None:
    """Serve on this machine until `stop` is set; `ready` is told the URL.

    :raises OSError: the port is taken
    """
    runner = web.AppRunner(application(service), access_log=None, shutdown_timeout=1.0)
    await runner.setup()
    try:
        await web.TCPSite(runner, _HOST, service.settings.port).start()
        ready(f"http://{_HOST}:{runner.addresses[0][1]}")
        await stop.wait()
    finally:
        await runner.cleanup()


class Simulator:
    """A simulator in a thread of this process, inside the ``with`` block.

    >>> with Simulator(SimulatorSettings(latency=0)) as simulator:
    ...     client = boto3.client("cloudtrail", endpoint_url=simulator.endpoint_url, region_name="us-east-1")
    """

    def __init__(self, settings: SimulatorSettings | None = None, clock: Clock | None = None) -> None:
        self.service = Service.make(settings or SimulatorSettings(), clock)
        self.endpoint_url = ""
        self._thread = threading.Thread(target=self._run, name="cloudtrail-simulator", daemon=True)
        self._started = threading.Event()
        self._failure: OSError | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None

    def __enter__(self) -> Simulator:
        """Start serving.

        :raises OSError: the port is taken
        """
        self._thread.start()
        self._started.wait()
        if self._failure is not None:
            raise self._failure
        return self

    def __exit__(
        self, kind: type[BaseException] | None, value: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop serving."""
        if self._loop is not None and self._stop is not None:
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()

    def truth(self, region: str, start: datetime, end: datetime, account: str = DEFAULT_ACCOUNT) -> list[str]:
        """Return the eventIDs that can be looked up by now, newest first; both ends included, whole seconds."""
        span = Span(account, region, int(start.timestamp()), int(end.timestamp()))
        return [entry.id for entry in self.service.truth(span)]

    def insights(self, region: str, start: datetime, end: datetime, account: str = DEFAULT_ACCOUNT) -> list[str]:
        """Return the eventIDs of the Insights events that can be looked up by now, as `truth` does."""
        span = Span(account, region, int(start.timestamp()), int(end.timestamp()))
        return [entry.id for entry in self.service.insights_truth(span)]

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except OSError as error:
            self._failure = error
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        await serve(self.service, self._ready, self._stop)

    def _ready(self, url: str) -> None:
        self.endpoint_url = url
        self._started.set()
