"""The pages' app on its own port, for a browser, with a search server that a test can replace."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import uvicorn
from fastapi import FastAPI

from cloudtrail_elasticsearch.ui.access import may_backfill, may_read
from cloudtrail_elasticsearch.ui.app import make_app
from cloudtrail_elasticsearch.ui.server import find_search_server
from devstack.airflow import free_port


@dataclass
class Site:
    """The address of the pages, and the search server behind them, which a test can replace."""

    url: str
    search: Callable[[], Any]

    def page(self, name: str, **chosen: str) -> str:
        """Return the address of a page with some parameters."""
        return f"{self.url}/cloudtrail/{name}#{'&'.join(f'{key}={value}' for key, value in chosen.items())}"


@dataclass
class Elsewhere:
    """A real server without the loader's indices: requests go to indices of other names that do not exist."""

    server: Any
    prefix: str
    engine: str = field(init=False)
    name: str = field(init=False)

    def __post_init__(self) -> None:
        self.engine, self.name = self.server.engine, self.server.name

    def request(self, method: str, path: str, body: bytes | None = None) -> Any:
        """Send the request to the other indices."""
        return self.server.request(method, path.replace("/cloudtrail-", f"/{self.prefix}-"), body)


@dataclass
class Held:
    """A real server that answers when the test allows it."""

    server: Any
    may_answer: threading.Event = field(default_factory=threading.Event)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.server, name)

    def request(self, method: str, path: str, body: bytes | None = None) -> Any:
        """Wait, then send the request."""
        self.may_answer.wait(60)
        return self.server.request(method, path, body)


@contextmanager
def served(usual: Callable[[], Any]) -> Iterator[Site]:
    """Serve the pages until the block ends."""
    port = free_port(0)
    site = Site(f"http://127.0.0.1:{port}", usual)

    def search() -> Any:
        return site.search()

    app = make_app()
    app.dependency_overrides = {
        may_read.dependency: lambda: None,
        may_backfill: lambda: True,
        find_search_server: search,
    }
    root = FastAPI()
    root.mount("/cloudtrail", app)
    server = uvicorn.Server(uvicorn.Config(root, port=port, log_level="critical"))
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        time.sleep(0.05)
    try:
        yield site
    finally:
        server.should_exit = True
        thread.join(10)
