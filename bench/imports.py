"""``import_time``: the time to import the operators, divided by that of Airflow's base class of them."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
from typing import Final

from bench.results import Result

PAIRS: Final = 9
TO_REACH: Final = 1.2

_BASE: Final = "from airflow.providers.common.compat.sdk import BaseOperator"
_OPERATORS: Final = "\n".join(
    f"import cloudtrail_elasticsearch.operators.{module}"
    for module in ("cloudtrail_to_s3", "coverage", "plan", "s3_to_elasticsearch")
)
_TIMED: Final = "import time\nbegan = time.process_time()\n{}\nprint(time.process_time() - began)"


def measure() -> list[Result]:
    """Import each of the two alternately, in fresh processes."""
    with tempfile.TemporaryDirectory() as home:
        environment = os.environ | {"AIRFLOW_HOME": home}
        _pair(environment, 0)  # the first import makes Airflow's home and compiles the modules
        pairs = [_pair(environment, number) for number in range(PAIRS)]
    operators, base = (statistics.median(seconds) for seconds in zip(*pairs, strict=True))
    result = Result(
        name="import_time",
        value=statistics.median(operators / base for operators, base in pairs),
        unit="times as long",
        at_most=TO_REACH,
        how=(
            f"processor time of importing all operators, divided by that of importing Airflow's BaseOperator "
            f"alone, each in a fresh Python process, from the first import statement on; median of {PAIRS} pairs "
            f"after one of warm-up"
        ),
        limited_by=(
            "Airflow itself, which every operator must import. The loader adds only its small modules, because "
            "the running task imports clients, hooks and the pipeline"
        ),
        parts={"operators, ms": 1000 * operators, "BaseOperator, ms": 1000 * base},
    )
    return [result]


def _pair(environment: dict[str, str], number: int) -> tuple[float, float]:
    """Return the seconds of the operators and of the base class, in the order of this turn."""
    order = [_OPERATORS, _BASE] if number % 2 else [_BASE, _OPERATORS]
    seconds = {statements: _seconds(statements, environment) for statements in order}
    return seconds[_OPERATORS], seconds[_BASE]


def _seconds(statements: str, environment: dict[str, str]) -> float:
    command = [sys.executable, "-c", _TIMED.format(statements)]
    done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, check=True, text=True)
    return float(done.stdout)
