"""Requests of several threads that are answered together."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from cloudtrail_elasticsearch.core.coalescer import Coalescer
from cloudtrail_elasticsearch.core.errors import ConfigurationError


class Doubler:
    """Doubles numbers; the first call waits until it is let go."""

    def __init__(self) -> None:
        self.calls: list[list[int]] = []
        self.began = threading.Event()
        self.go = threading.Event()

    def __call__(self, numbers: Sequence[int]) -> list[int]:
        self.calls.append(list(numbers))
        if len(self.calls) == 1:
            self.began.set()
            assert self.go.wait(10)
        if 13 in numbers:
            raise ValueError("unlucky")
        return [2 * number for number in numbers]


def ask_during_a_call(doubler: Doubler, numbers: Sequence[int]) -> list[int | str]:
    """Ask for 1, and for the other numbers while that call is running; return the answers or the errors."""
    coalescer = Coalescer(doubler)
    with ThreadPoolExecutor(len(numbers) + 1) as pool:
        asked = [pool.submit(coalescer.ask, 1)]
        assert doubler.began.wait(10)
        asked += [pool.submit(coalescer.ask, number) for number in numbers]
        while len(coalescer._waiting) < len(numbers):
            pass
        doubler.go.set()
        return [str(error) if (error := future.exception()) else future.result() for future in asked]


def test_requests_that_arrive_during_a_call_share_the_next_one() -> None:
    """Each gets its own answer."""
    doubler = Doubler()
    assert ask_during_a_call(doubler, [2, 3, 4]) == [2, 4, 6, 8]
    assert [sorted(call) for call in doubler.calls] == [[1], [2, 3, 4]]


def test_an_error_is_raised_for_each_request_of_its_call_and_no_other() -> None:
    """And the next call works."""
    doubler = Doubler()
    assert ask_during_a_call(doubler, [2, 13]) == [2, "unlucky", "unlucky"]
    coalescer = Coalescer(doubler)
    assert coalescer.ask(5) == 10


def test_a_slow_call_is_followed_by_a_pause() -> None:
    """So that the requests of meanwhile share the next one."""
    began: list[float] = []

    def answer(numbers: Sequence[int]) -> list[int]:
        began.append(time.monotonic())
        time.sleep(0.05)
        return list(numbers)

    coalescer = Coalescer(answer)
    coalescer.ask(1)
    coalescer.ask(2)
    assert began[1] - began[0] >= 4 * 0.05


def test_a_request_that_cannot_be_answered_fails_no_other() -> None:
    """The others of its call are answered without it."""

    class Strict(Doubler):
        def __call__(self, numbers: Sequence[int]) -> list[int]:
            try:
                return super().__call__(numbers)
            except ValueError as error:
                raise ConfigurationError("13 is not allowed") from error

    doubler = Strict()
    assert ask_during_a_call(doubler, [2, 13, 3]) == [2, 4, "13 is not allowed", 6]
    assert len(doubler.calls) == 5


def test_too_few_answers_are_an_error() -> None:
    """No thread waits for ever."""
    coalescer: Coalescer[int, int] = Coalescer(lambda _: [])
    with pytest.raises(ValueError, match="shorter"):
        coalescer.ask(1)
