"""Answers the requests of several threads together, as a database commits waiting transactions in groups."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Final, Generic, TypeVar

from cloudtrail_elasticsearch.core.errors import ConfigurationError

_PAUSE: Final = 3.0
"""Times the duration of the call before: at most a quarter of the time is spent in calls."""

_LONGEST_PAUSE: Final = 2.0

Request = TypeVar("Request")
Result = TypeVar("Result")


class Coalescer(Generic[Request, Result]):
    """Calls a function for the requests of several threads: those that arrive during a call share the next one.

    A call begins after all of its requests were made. Between two calls is a pause of three times the duration of
    the call before, and two seconds at most, so that more requests share a call.

    :param answer: returns the result of each request, in the same order; one call at a time
    """

    def __init__(self, answer: Callable[[Sequence[Request]], Sequence[Result]]) -> None:
        self._answer = answer
        self._answering = threading.Lock()
        self._changing = threading.Lock()
        self._waiting: list[tuple[Request, Future[Result]]] = []
        self._next = 0.0
        """The time of the monotonic clock before which no call begins."""

    def ask(self, request: Request) -> Result:
        """Return the result of a request.

        If the function raises a `ConfigurationError`, each request of the call is answered alone, because one of
        them can be the cause. Any other error is raised for all requests of the call.
        """
        future: Future[Result] = Future()
        with self._changing:
            self._waiting.append((request, future))
        with self._answering:
            # Another thread may have taken the request along.
            if not future.done():
                time.sleep(max(0.0, self._next - time.monotonic()))
                with self._changing:
                    some, self._waiting = self._waiting, []
                began = time.monotonic()
                self._answer_some(some)
                ended = time.monotonic()
                self._next = ended + min(_LONGEST_PAUSE, _PAUSE * (ended - began))
        return future.result()

    def _answer_some(self, some: list[tuple[Request, Future[Result]]]) -> None:
        try:
            results = self._answer([request for request, _ in some])
            for (_, future), result in zip(some, results, strict=True):
                future.set_result(result)
        except BaseException as error:  # noqa: BLE001 - each thread raises it
            if isinstance(error, ConfigurationError) and len(some) > 1:
                for each in some:
                    self._answer_some([each])
                return
            for _, future in some:
                if not future.done():
                    future.set_exception(error)
