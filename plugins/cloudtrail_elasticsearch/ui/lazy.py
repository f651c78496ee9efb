"""The pages, imported on the first request: every Airflow process loads plugins, but only one serves pages."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any


class LazyApp:
    """The ASGI app of the pages."""

    @cached_property
    def _app(self) -> Any:
        from cloudtrail_elasticsearch.ui.app import make_app

        return make_app()

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Pass a request to the app."""
        await self._app(scope, receive, send)


class LazyBlueprints:
    """The blueprint of the pages, for the webserver of Airflow 2."""

    def __iter__(self) -> Iterator[Any]:
        from cloudtrail_elasticsearch.ui.blueprint import make_blueprint

        yield make_blueprint()
