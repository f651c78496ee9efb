"""Memory: a file of any size and form is read within 100 MiB above the interpreter's own."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

GROWTH = 100 * 1024 * 1024

MEASURED = """
import json, sys
from cloudtrail_elasticsearch.sources.files import Files
from tests.sources.memory_pieces import PIECES

def peak():
    # The peak that getrusage returns begins with that of the process that started this one.
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmHWM"))

files = Files(["f"])
name, size = sys.argv[1], int(sys.argv[2])
files._read_pieces = lambda _: PIECES[name](size)
before = peak()
count = sum(1 for _ in files.lines())
print(json.dumps({"growth": peak() - before, "count": count, "error": files.reports[0].error}))
"""


@pytest.mark.slow
@pytest.mark.promise("bounded")
@pytest.mark.parametrize(
    ("shape", "megabytes"),
    [
        ("records", 150),
        ("list", 40),
        ("records, gzip", 60),
        ("records, UTF-16", 60),
        ("lookup-events", 30),
        ("joined", 40),
        ("pretty", 40),
        ("records, sorted names", 40),
        ("one string", 150),
        ("no JSON", 60),
        ("blanks, gzip", 150),
    ],
)
def test_memory_does_not_grow_with_the_file(shape: str, megabytes: int) -> None:
    """Measured as the peak of a separate process."""
    command = [sys.executable, "-c", MEASURED, shape, str(megabytes * 1_000_000)]
    measured = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    assert measured["growth"] < GROWTH
    if shape in ("one string", "no JSON"):
        assert "more than" in measured["error"]
    elif shape != "blanks, gzip":
        assert measured["error"] is None
        assert measured["count"] > megabytes * 300
