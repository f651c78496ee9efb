"""What the commands of long runs share: how they end, their report, and the home of their Airflow."""

from __future__ import annotations

import contextlib
import shutil
import signal
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from cloudtrail_elasticsearch.core.errors import LoaderError
from devstack.airflow_api import AirflowError
from devstack.backfills import BackfillError
from devstack.dag_runs import DagRunError
from devstack.processes import ServiceError
from devstack.search_server import DownloadError

_FAULTS = (BackfillError, DagRunError, AirflowError, ServiceError, DownloadError, LoaderError)


@dataclass(slots=True)
class Home:
    """The folder of an Airflow."""

    path: Path
    is_kept: bool = True
    """Whether the folder stays, for its logs."""


def say(text: str) -> None:
    """Print a text at once."""
    print(text, flush=True)


def run_to_end(run: Callable[[], int]) -> int:
    """Run a command and return its exit status: 130 if it was interrupted, 1 if a service or a load failed."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    try:
        return run()
    except KeyboardInterrupt:
        say("\nStopped.")
        return 130
    except _FAULTS as error:
        say(f"It failed: {error}")
        return 1


def report_promises(lines: Sequence[str], broken: Sequence[str]) -> int:
    """Print a table and the broken promises; return the exit status, 1 if there are any."""
    end = "Broken promises:" if broken else "Every promise was kept."
    say("\n".join(["", *lines, "", end, *broken]))
    return 1 if broken else 0


@contextlib.contextmanager
def airflow_home(prefix: str) -> Iterator[Home]:
    """Yield the home of a new Airflow, which is deleted at the end unless it is kept."""
    home = Home(Path(tempfile.mkdtemp(prefix=prefix)))
    try:
        yield home
    finally:
        if home.is_kept:
            say(f"Airflow's logs are kept: {home.path}")
        else:
            shutil.rmtree(home.path, ignore_errors=True)
