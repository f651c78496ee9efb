"""Values of declared types: several threads can use a type for the first time at once."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest

from cloudtrail_elasticsearch.core.encoding import typed
from devstack.processes import ROOT

PACKAGE = ROOT / "plugins" / "cloudtrail_elasticsearch"

FIRST_USE = """
import dataclasses, datetime, os, sys, threading

sys.setswitchinterval(1e-6)
from cloudtrail_elasticsearch.core.encoding import typed

sources = []
for number in range(40):
    sources.append(f'''
@dataclasses.dataclass(frozen=True)
class Inner{number}:
    name: "str"
    at: "datetime.datetime"
    more: "tuple[int, ...]" = ()

@dataclasses.dataclass(frozen=True)
class Outer{number}:
    inner: "Inner{number}"
    many: "tuple[Inner{number}, ...]"
    count: "int | None" = None
''')
exec("".join(sources))
kinds = [globals()[f"Outer{number}"] for number in range(40)]
inner = {"name": "a", "at": "2026-11-20T00:00:00Z", "more": [1]}
value = {"inner": inner, "many": [inner, inner]}
start = threading.Barrier(12)
failed = []


def work():
    for kind in kinds:
        start.wait()
        try:
            assert typed.convert(value, kind).many[1].more == (1,)
        except BaseException as error:
            failed.append(error)


threads = [threading.Thread(target=work, daemon=True) for _ in range(12)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(60)
os._exit(bool(failed) or any(thread.is_alive() for thread in threads))
"""


def test_threads_use_a_type_for_the_first_time_at_once() -> None:
    """With msgspec alone, one of them crashes the process, or never ends: a load task hung with it."""
    command = [sys.executable, "-c", FIRST_USE]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr[-2000:]


def test_values_are_converted() -> None:
    assert typed.convert({"a": 1}, dict[str, int]) == {"a": 1}
    assert typed.convert("1", int, strict=False) == 1
    assert typed.decode(b"[1,2]", tuple[int, ...]) == (1, 2)
    assert typed.make_decode(dict[str, int])(b'{"a":1}') == {"a": 1}
    with pytest.raises(ValueError, match="Expected `int`"):
        typed.convert("1", int)


def test_only_one_module_calls_functions_of_msgspec_that_take_a_type() -> None:
    """A type whose first use is elsewhere is not protected."""
    takes_type = re.compile(r"msgspec\.convert\(|json\.decode\([^)]*type=|json\.Decoder\([^)]")
    files = {file.name: file.read_text() for file in PACKAGE.rglob("*.py")}
    assert {name for name, text in files.items() if takes_type.search(text)} == {"typed.py"}
