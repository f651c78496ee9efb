"""Values that are made once, for all threads."""

from __future__ import annotations

import threading
import time

import pytest

from cloudtrail_elasticsearch.core.once import make_once


def test_all_threads_get_the_value_of_the_first_call() -> None:
    made: list[int] = []

    def make() -> int:
        time.sleep(0.01)
        made.append(len(made))
        return made[-1]

    get, found = make_once(make), []
    threads = [threading.Thread(target=lambda: found.append(get())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (made, found) == ([0], [0] * 8)


def test_a_failure_is_raised_and_the_next_call_tries_again() -> None:
    answers = [ValueError("no"), "yes"]

    def make() -> str:
        answer = answers.pop(0)
        if isinstance(answer, ValueError):
            raise answer
        return str(answer)

    get = make_once(make)
    with pytest.raises(ValueError, match="no"):
        get()
    assert [get(), get()] == ["yes", "yes"]
