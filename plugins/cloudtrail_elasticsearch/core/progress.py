"""Progress that a task keeps for its next attempt, and the stores that hold it."""

from __future__ import annotations

import logging
import threading
from typing import Any, Protocol

from cloudtrail_elasticsearch.core.errors import SupersededError

log = logging.getLogger(__name__)


class StateStore(Protocol):
    """JSON values by key: Airflow's task state store, or its replacement."""

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value, or the default if the key has none."""

    def set(self, key: str, value: Any) -> None:
        """Write or replace a value."""

    def delete(self, key: str) -> None:
        """Remove a value, if the key has one."""


class InMemoryStore:
    """Keeps values in this process only: for the command line, which has no further attempts."""

    def __init__(self) -> None:
        self._values: dict[str, Any] = {}

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value, or the default if the key has none."""
        return self._values.get(key, default)

    def set(self, key: str, value: Any) -> None:
        """Write or replace a value."""
        self._values[key] = value

    def delete(self, key: str) -> None:
        """Remove a value, if the key has one."""
        self._values.pop(key, None)


class PartOfStore:
    """The values of one of several pieces of work in a store that their threads share.

    :param part: a name that no other piece of work has
    :param turn: a lock that all parts share: Airflow's store answers one request at a time
    """

    def __init__(self, store: StateStore, part: str, turn: threading.Lock) -> None:
        self._store = store
        self._part = part
        self._turn = turn

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value, or the default if the key has none."""
        with self._turn:
            return self._store.get(self._name(key), default)

    def set(self, key: str, value: Any) -> None:
        """Write or replace a value.

        :raises SupersededError: another attempt has replaced this one
        """
        with self._turn:
            self._store.set(self._name(key), value)

    def delete(self, key: str) -> None:
        """Remove a value, if the key has one."""
        with self._turn:
            self._store.delete(self._name(key))

    def _name(self, key: str) -> str:
        return f"{key}-{self._part}"


class Checkpoint:
    """One saved value of a store. It belongs to one fingerprint of work; values of other work are ignored.

    A failing store never stops the work: its errors are logged as warnings, and a further attempt repeats more.
    """

    def __init__(self, store: StateStore, key: str, fingerprint: str) -> None:
        self._store = store
        self._key = key
        self._fingerprint = fingerprint

    def load(self) -> Any:
        """Return the saved value, or None."""
        try:
            kept = self._store.get(self._key)
        except Exception as error:  # noqa: BLE001 - a store can raise anything; the work can start from the beginning
            log.warning(
                "Could not read the progress of earlier attempts (%s). Starting from the beginning.", error
            )
            return None
        if not isinstance(kept, dict):
            return None
        # The same task can work on another cell after a change of the plan.
        if kept.get("fingerprint") != self._fingerprint:
            log.info("The saved progress belongs to other work. Starting from the beginning.")
            return None
        return kept.get("value")

    def save(self, value: Any) -> None:
        """Replace the saved value.

        :raises SupersededError: another attempt has replaced this one
        """
        try:
            self._store.set(self._key, {"fingerprint": self._fingerprint, "value": value})
        except SupersededError:
            # The store works: this attempt must end, because another one does its work.
            raise
        except Exception as error:  # noqa: BLE001 - as above
            log.warning("Could not save the progress (%s). A further attempt would repeat more work.", error)

    def clear(self) -> None:
        """Remove the saved value."""
        try:
            self._store.delete(self._key)
        except Exception as error:  # noqa: BLE001 - as above
            log.warning("Could not remove the saved progress (%s).", error)


class BackgroundCheckpoint:
    """Saves a checkpoint's newest value in the background, so that the work never waits for the store.

    A context manager: on exit, the newest value is saved. If another attempt has replaced this one, the next call
    or the exit raises `SupersededError`.

    :param seconds: the least time before each save, except for the one on exit
    """

    def __init__(self, checkpoint: Checkpoint, seconds: float = 0.0) -> None:
        self._checkpoint = checkpoint
        self._seconds = seconds
        self._changed = threading.Condition()
        self._newest: Any = None
        self._is_over = False
        self._superseded: SupersededError | None = None
        self._thread = threading.Thread(target=self._run, name="progress", daemon=True)

    def __enter__(self) -> BackgroundCheckpoint:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        with self._changed:
            self._is_over = True
            self._changed.notify()
        self._thread.join()
        if self._superseded is not None:
            raise self._superseded

    def save(self, value: Any) -> None:
        """Queue this value to be saved; it replaces a queued value that is not saved yet.

        :raises SupersededError: another attempt has replaced this one
        """
        # Read without the lock: if it is set a moment later, the next call or the exit raises it.
        if self._superseded is not None:
            raise self._superseded
        with self._changed:
            self._newest = value
            self._changed.notify()

    def discard(self) -> None:
        """Drop a queued value, because it is not needed any more."""
        with self._changed:
            self._newest = None

    def _run(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._is_over, self._seconds)
                while self._newest is None and not self._is_over:
                    self._changed.wait()
                # Taken as a whole: values that were replaced meanwhile are never saved.
                value, self._newest = self._newest, None
                if value is None:  # the work is over, and the newest value is saved
                    return
            try:
                # Without the lock, so that the work does not wait for the store.
                self._checkpoint.save(value)
            except SupersededError as error:
                self._superseded = error
                return
