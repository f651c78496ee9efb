"""A task that nobody supervises any more ends: another attempt takes, or has taken, its place."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from cloudtrail_elasticsearch.core.errors import SupersededError
from cloudtrail_elasticsearch.core.state import StateStore

log = logging.getLogger(__name__)

SECONDS_BETWEEN_LOOKS: Final = 1.0


@contextmanager
def ends_with_its_supervisor() -> Iterator[None]:
    """Kill this process, while it does its work, as soon as the one that started it is dead.

    Airflow's supervisor reports for its task. When it is killed the task goes on, and so does the attempt that
    Airflow starts in its place: both would look up the same events. To be killed is what this work is made for.
    """
    supervisor = os.getppid()
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(SECONDS_BETWEEN_LOOKS):
            if os.getppid() != supervisor:
                os.kill(os.getpid(), signal.SIGKILL)

    watcher = threading.Thread(target=watch, name="supervision", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        is_over.set()
        watcher.join()


class SupervisedStore:
    """Airflow's task state store, which no longer knows an attempt that another one has taken the place of."""

    def __init__(self, store: StateStore) -> None:
        self._store = store

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value, or the default where there is none."""
        return self._store.get(key, default)

    def set(self, key: str, value: Any) -> None:
        """Write or replace a value.

        :raises SupersededError: another attempt has taken this one's place
        """
        from airflow.sdk.exceptions import AirflowRuntimeError

        try:
            self._store.set(key, value)
        except AirflowRuntimeError as error:
            if (error.error.detail or {}).get("status_code") == 404:
                raise SupersededError(
                    "Airflow has given this attempt up, and another one may have taken its place: this one ends."
                ) from error
            raise

    def delete(self, key: str) -> None:
        """Remove a value, where there is one."""
        self._store.delete(key)
