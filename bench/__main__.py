"""``make bench``: runs the benchmarks, and writes ``bench/results.json`` and ``bench/README.md``."""

from __future__ import annotations

import argparse
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Final

from bench import (
    cells,
    cells_org,
    coverage_accounts,
    coverage_page,
    fetch,
    growth,
    imports,
    live,
    live_calls,
    load,
    load_cold,
    load_cpu,
    load_remote,
    normalize,
    page,
    query_latency,
    size,
    task_memory,
    trail,
)
from bench.results import Result, store

BENCHES: Final[Mapping[str, Callable[[], list[Result]]]] = {
    "fetch_saturation": fetch.saturation,
    "fetch_regions": fetch.regions,
    "fetch_shared": fetch.shared,
    "fetch_quiet_calls": fetch.quiet,
    "fetch_cpu": fetch.cost,
    "load_cold": load_cold.measure,
    "load_steady": load.measure,
    "load_cpu": load_cpu.measure,
    "load_remote": load_remote.measure,
    "normalize_core": normalize.measure,
    "growth": growth.measure,
    "rss_load": task_memory.measure,
    "bytes_per_event": size.measure,
    "query_latency": query_latency.measure,
    "cells_overhead": cells.measure,
    "cells_org": cells_org.measure,
    "import_time": imports.measure,
    "coverage_page": coverage_page.measure,
    "coverage_accounts": coverage_accounts.measure,
    "live_lag": live.lag,
    "live_idle": live.idle,
    "live_calls": live_calls.measure,
    "trail_small_files": trail.small_files,
    "trail_list": trail.list_organization,
    "trail_quiet": trail.prove_quiet,
    "trail_load": trail.load,
    "rss_trail_growth": trail.growth,
}

ONLY_IF_NAMED: Final = frozenset({"query_latency"})
"""It compares settings of the search server for most of a day."""


def main() -> int:
    """Run the named benchmarks; the others keep their last results."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    usual = [name for name in BENCHES if name not in ONLY_IF_NAMED]
    choices = ", ".join(BENCHES)
    parser.add_argument(
        "names",
        nargs="*",
        help=f"the benchmarks to run, of {choices}; by default all but {', '.join(ONLY_IF_NAMED)}",
    )
    names = parser.parse_args().names or usual
    if unknown := [name for name in names if name not in BENCHES]:
        parser.error(f"unknown benchmarks: {', '.join(unknown)}; choose from {choices}")
    reached = [_run(name) for name in names]
    return 0 if all(reached) else 1


def _run(name: str) -> bool:
    """Run a benchmark, store its figures, and return whether each is within its bound.

    If it fails, its figures stay as they are, and the next benchmark runs: all of them take hours.
    """
    print(f"{name} …", flush=True)
    began = time.monotonic()
    try:
        found = BENCHES[name]()
    except Exception:  # noqa: BLE001 - whatever failed, the others run
        traceback.print_exc()
        return False
    for result in found:
        print(f"  {result.sentence}", flush=True)
    print(f"  in {(time.monotonic() - began) / 60:.1f} minutes", flush=True)
    store(found)
    page.write()
    return all(result.reached for result in found)


if __name__ == "__main__":
    sys.exit(main())
