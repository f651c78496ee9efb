"""``import_time``: importing the operators, by importing the class of Airflow's that they derive from."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from typing import Final

from bench.results import Result, machine

PAIRS: Final = 9
TO_REACH: Final = 1.2

_BASE: Final = "from airflow.providers.common.compat.sdk import BaseOperator"
_OPERATORS: Final = "\n".join(
    f"import cloudtrail_elasticsearch.operators.{module}"
    for module in ("cloudtrail_to_s3", "coverage", "plan", "s3_to_elasticsearch")
)
_TIMED: Final = "import time\nbegan = time.process_time()\n{}\nprint(time.process_time() - began)"


def measure() -> list[Result]:
    """Import either in processes of its own, in turn."""
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"AIRFLOW_HOME": home}
        _pair(environment, 0)  # makes the home, and compiles what was not
        pairs = [_pair(environment, number) for number in range(PAIRS)]
    operators, base = (statistics.median(seconds) for seconds in zip(*pairs, strict=True))
    result = Result(
        name="import_time",
        value=statistics.median(operators / base for operators, base in pairs),
        unit="times as long",
        at_most=TO_REACH,
        how=(
            f"processor time of importing all operators, by that of importing Airflow's BaseOperator alone, each "
            f"in a fresh Python process, from the first import statement on; median of {PAIRS} pairs after one to "
            f"warm up"
        ),
        limited_by=(
            "Airflow itself, which every operator has to import; what is the loader's own is its small modules, "
            "as clients, hooks and the pipeline are imported by the task that runs"
        ),
        parts={"operators, ms": 1000 * operators, "BaseOperator, ms": 1000 * base},
        machine=machine(),
    )
    return [result]


def _pair(environment: dict[str, str], number: int) -> tuple[float, float]:
    """Return the seconds for the operators and for the base, the first one in turn."""
    order = [_OPERATORS, _BASE] if number % 2 else [_BASE, _OPERATORS]
    seconds = {statements: _seconds(statements, environment) for statements in order}
    return seconds[_OPERATORS], seconds[_BASE]


def _seconds(statements: str, environment: dict[str, str]) -> float:
    command = [sys.executable, "-c", _TIMED.format(statements)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return float(done.stdout)
