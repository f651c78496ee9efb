"""The progress lines in the log of a fetch."""

from __future__ import annotations

import logging
import re
import time

import pytest

from cloudtrail_elasticsearch.core import progress_log
from cloudtrail_elasticsearch.core.progress_log import ProgressLog, format_duration
from cloudtrail_elasticsearch.staging import Staging
from devstack.simulator import Simulator
from tests.aws.test_fetch import BUSY, fetch, simulator, source, staging, truth

__all__ = ["simulator", "staging"]

LINE = re.compile(
    r"Looked up [0-9]{12} us-east-1 \S+: (\d+) events, \d+ events/s, (\d+)% done(, about \d+ \w+ left)?"
)


def test_a_fetch_logs_its_progress(
    simulator: Simulator, staging: Staging, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Events, their rate, and, by the looked-up time of the window, the share done and the time left."""
    monkeypatch.setattr(progress_log, "SECONDS_BETWEEN_LINES", 0.0)
    caplog.set_level(logging.INFO, progress_log.__name__)
    fetch(BUSY, source(simulator, BUSY), staging)
    lines = [found for found in map(LINE.match, caplog.messages) if found]
    assert len(lines) > 3
    shares = [int(line[2]) for line in lines]
    assert shares[0] < 50
    assert shares[-1] == 100
    assert int(lines[-1][1]) == len(truth(simulator, BUSY))
    assert all(line[3] for line in lines)


def test_the_rate_and_the_time_left_are_this_attempts(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Events of earlier attempts do not count; if nothing is gained, no time left is logged."""
    now = 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now)
    caplog.set_level(logging.INFO, progress_log.__name__)
    lines = ProgressLog("Loaded it", events=600, share=0.6)
    now = 5.0
    lines.log(650, 0.65)
    now = 10.0
    lines.log(600, 0.6)
    now = 20.0
    lines.log(800, 0.8)
    assert caplog.messages == [
        "Loaded it: 600 events, 0 events/s, 60% done",
        "Loaded it: 800 events, 10 events/s, 80% done, about 20 s left",
    ]


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(0.4, "0 s"), (45, "45 s"), (200, "3 min 20 s"), (3_599.7, "1 h 0 min"), (7_500, "2 h 5 min")],
)
def test_a_duration_has_its_two_largest_units(seconds: float, words: str) -> None:
    """As people write it."""
    assert format_duration(seconds) == words
