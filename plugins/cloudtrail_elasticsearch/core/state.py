"""What a task remembers over its attempts, and where."""

from __future__ import annotations

import logging
import threading
from typing import Any, Protocol

from cloudtrail_elasticsearch.core.errors import SupersededError

log = logging.getLogger(__name__)


class StateStore(Protocol):
    """JSON values by key: Airflow's task state store, or what stands in for it."""

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value, or the default where there is none."""

    def set(self, key: str, value: Any) -> None:
        """Write or replace a value."""

    def delete(self, key: str) -> None:
        """Remove a value, where there is one."""


class ForgetfulStore:
    """Remembers for as long as the process lives: for the command line, which has no attempts."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value, or the default where there is none."""
        return self._values.get(key, default)

    def set(self, key: str, value: Any) -> None:
        """Write or replace a value."""
        self._values[key] = value

    def delete(self, key: str) -> None:
        """Remove a value, where there is one."""
        self._values.pop(key, None)


class Memory:
    """One value of a store, for work of one fingerprint; what was written for other work is not read.

    A store that fails costs work that is done again, never the work itself: its errors become warnings.
    """

    def __init__(self, store: StateStore, key: str, fingerprint: str) -> None:
        self._store = store
        self._key = key
        self._fingerprint = fingerprint

    def recall(self) -> Any:
        """Return what was kept, or None."""
        try:
            kept = self._store.get(self._key)
        except Exception as error:  # noqa: BLE001 - whatever a store raises: without it the work is done anew
            log.warning("The progress of earlier attempts cannot be read (%s): beginning anew.", error)
            return None
        if not isinstance(kept, dict):
            return None
        if kept.get("fingerprint") != self._fingerprint:
            log.info("What an earlier attempt kept belongs to other work: beginning anew.")
            return None
        return kept.get("value")

    def keep(self, value: Any) -> None:
        """Replace what is kept.

        :raises SupersededError: another attempt has taken this one's place
        """
        try:
            self._store.set(self._key, {"fingerprint": self._fingerprint, "value": value})
        except SupersededError:
            raise
        except Exception as error:  # noqa: BLE001 - as above
            log.warning("The progress cannot be kept (%s): another attempt would do more again.", error)

    def forget(self) -> None:
        """Remove what is kept."""
        try:
            self._store.delete(self._key)
        except Exception as error:  # noqa: BLE001 - as above
            log.warning("The progress cannot be removed (%s).", error)


class KeptBehind:
    """Keeps a memory's newest value in the background, so that the work never waits for the store.

    A context manager: on leaving, the newest value is kept. That another attempt has taken this one's place is
    told by the next call, or on leaving.
    """

    def __init__(self, memory: Memory) -> None:
        self._memory = memory
        self._changed = threading.Condition()
        self._newest: Any = None
        self._is_over = False
        self._superseded: SupersededError | None = None
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def __enter__(self) -> KeptBehind:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._is_over = True
            self._changed.notify()
        self._thread.join()
        if self._superseded is not None:
            raise self._superseded

    def keep(self, value: Any) -> None:
        """Have this value kept, instead of any before it that is not yet.

        :raises SupersededError: another attempt has taken this one's place
        """
        if self._superseded is not None:
            raise self._superseded
        with self._changed:
            self._newest = value
            self._changed.notify()

    def _run(self) -> None:
        while True:
            with self._changed:
                while self._newest is None and not self._is_over:
                    self._changed.wait()
                value, self._newest = self._newest, None
                if value is None:
                    return
            try:
                self._memory.keep(value)
            except SupersededError as error:
                self._superseded = error
                return
