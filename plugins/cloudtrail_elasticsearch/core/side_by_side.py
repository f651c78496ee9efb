"""Calls that wait for a service, side by side within a bound."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from itertools import islice
from typing import TypeVar

HoldMemory = Callable[[], AbstractContextManager[None]]
"""Returns a context within which one of several parallel calls may hold events in memory."""

Asked = TypeVar("Asked")
Answer = TypeVar("Answer")


def run_side_by_side(work: Callable[[Asked], Answer], asked: Iterable[Asked], parallel: int) -> Iterator[Answer]:
    """Yield the results of a function for many values, in the order in which they are ready.

    At most `parallel` calls are under way, and about as many results wait, so memory is bounded. An error of a
    call is raised, and no further call begins.
    """
    remaining = iter(asked)
    pool = ThreadPoolExecutor(parallel, thread_name_prefix="call")
    try:
        running: set[Future[Answer]] = {pool.submit(work, each) for each in islice(remaining, parallel)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            running |= {pool.submit(work, each) for each in islice(remaining, len(done))}
            for future in done:
                yield future.result()
    finally:
        pool.shutdown(cancel_futures=True)


def run_in_order(
    pool: ThreadPoolExecutor, work: Callable[[Asked], Answer], asked: Iterable[Asked], ahead: int
) -> Iterator[Answer]:
    """Yield the results of a function for many values, in the order of the values.

    At most `ahead` results are under way or wait, so memory is bounded. Several callers may share the pool. An
    error of a call is raised in its turn, and no further call begins.
    """
    running: deque[Future[Answer]] = deque()
    try:
        for each in asked:
            running.append(pool.submit(work, each))
            if len(running) >= ahead:
                yield running.popleft().result()
        while running:
            yield running.popleft().result()
    finally:
        for future in running:
            future.cancel()
