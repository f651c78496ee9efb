"""The progress of many small pieces of work as one value of a store, so that they cost few requests."""

from __future__ import annotations

import contextlib
import hashlib
import threading
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final

import msgspec

from cloudtrail_elasticsearch.core.encoding import typed
from cloudtrail_elasticsearch.core.progress import BackgroundCheckpoint, Checkpoint, StateStore

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.core.coverage.ledger import Run

_SECONDS: Final = 1.0
"""The time between two saves: a kill repeats at most so much work, and less work needs no save at all."""


def open_batch_progress(store: StateStore, run: Run | None) -> JointProgress:
    """Return the progress of a task that works on a batch.

    :param store: the task's state store, or its substitute
    :param run: the task; its other runs begin anew
    """
    # An Airflow without a task state store keeps the progress in the staging bucket, which other runs share.
    named = "" if run is None else f"{run.dag_id} {run.run_id} {run.task_id}"
    return JointProgress(Checkpoint(store, "batch", hashlib.sha256(named.encode()).hexdigest()))


class _Kept(msgspec.Struct):
    """The saved value."""

    since: datetime
    values: dict[str, Any]


class JointProgress:
    """A `StateStore` that keeps all of its values as one value of a checkpoint. Threads may share it.

    A context manager: it reads the progress of earlier attempts, saves changes in the background, and saves the
    newest ones on exit.
    """

    def __init__(self, checkpoint: Checkpoint) -> None:
        self._checkpoint = checkpoint
        self._saving = BackgroundCheckpoint(checkpoint, _SECONDS)
        self._lock = threading.Lock()
        self._kept = _Kept(datetime.now(UTC), {})
        self._is_finished = False
        self.is_resumed = False
        """Whether an earlier attempt has saved its progress."""

    @property
    def since(self) -> datetime:
        """The start of the first attempt."""
        return self._kept.since

    def __enter__(self) -> JointProgress:
        kept = self._checkpoint.load()
        if kept is not None:
            # A value of another version is ignored: the work starts from the beginning.
            with contextlib.suppress(msgspec.ValidationError):
                self._kept, self.is_resumed = typed.convert(kept, _Kept), True
        self._saving.__enter__()
        self._save()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._saving.__exit__(kind, error, trace)
        if self._is_finished:
            self._checkpoint.clear()

    def get(self, key: str, default: Any = None) -> Any:
        """Return a value, or the default if the key has none."""
        with self._lock:
            return self._kept.values.get(key, default)

    def set(self, key: str, value: Any) -> None:
        """Write or replace a value.

        :raises SupersededError: another attempt has replaced this one
        """
        with self._lock:
            self._kept.values[key] = value
        self._save()

    def delete(self, key: str) -> None:
        """Remove a value, if the key has one.

        :raises SupersededError: another attempt has replaced this one
        """
        with self._lock:
            known = self._kept.values.pop(key, None)
        if known is not None:
            self._save()

    def finish(self) -> None:
        """Remove the saved value on exit, because there will be no further attempt."""
        self._is_finished = True
        self._saving.discard()

    def _save(self) -> None:
        with self._lock:
            # Values are replaced, and never changed.
            value = {"since": self._kept.since.isoformat(), "values": dict(self._kept.values)}
        self._saving.save(value)
