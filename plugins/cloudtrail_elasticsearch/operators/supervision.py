"""Ends a task whose supervisor is dead or has given it up, because Airflow starts another attempt instead."""

from __future__ import annotations

import logging
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final

from cloudtrail_elasticsearch.core.errors import SupersededError
from cloudtrail_elasticsearch.core.progress import StateStore

log = logging.getLogger(__name__)

SECONDS_BETWEEN_CHECKS: Final = 1.0


@contextmanager
def exit_with_supervisor() -> Iterator[None]:
    """Kill this process as soon as its parent, Airflow's supervisor, is dead.

    If only the supervisor is killed, its task keeps running, and Airflow starts another attempt: both would look
    up the same events. SIGKILL is safe, because every attempt can be resumed.
    """
    supervisor = os.getppid()
    is_over = threading.Event()

    def watch() -> None:
        while not is_over.wait(SECONDS_BETWEEN_CHECKS):
            if os.getppid() != supervisor:
                # An orphan has another parent at once.
                os.kill(os.getpid(), signal.SIGKILL)

    watcher = threading.Thread(target=watch, name="supervision", daemon=True)
    watcher.start()
    try:
        yield
    finally:
        is_over.set()
        watcher.join()


class SupervisedStore:
    """Airflow's task state store; it reports an attempt that Airflow has replaced by another one."""

    def __init__(self, store: StateStore) -> None:
        self._store = store

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value, or the default if the key has none."""
        return self._store.get(key, default)

    def set(self, key: str, value: Any) -> None:
        """Write or replace a value.

        :raises SupersededError: Airflow no longer knows this attempt, because another one has replaced it
        """
        from airflow.sdk.exceptions import AirflowRuntimeError

        try:
            self._store.set(key, value)
        except AirflowRuntimeError as error:
            # Airflow's API answers 404 if the task instance has another attempt by now.
            if (error.error.detail or {}).get("status_code") == 404:
                raise SupersededError(
                    "Airflow has given up this attempt and may have started another one: this attempt stops."
                ) from error
            raise

    def delete(self, key: str) -> None:
        """Remove a value, if the key has one."""
        self._store.delete(key)
