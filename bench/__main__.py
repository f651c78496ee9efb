"""``make bench``: measure, write ``bench/results.json`` and the table of ``bench/README.md``."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Mapping
from typing import Final

from bench import load_cold
from bench.results import Result, read, write

BENCHES: Final[Mapping[str, Callable[[], Result]]] = {
    "load_cold": load_cold.measure,
}


def main() -> int:
    """Run the benches that are named, all of them by default; those that are not keep their last results."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(BENCHES)}")
    names = parser.parse_args().names or list(BENCHES)
    if unknown := [name for name in names if name not in BENCHES]:
        parser.error(f"no bench is called {', '.join(unknown)}: they are {', '.join(BENCHES)}")
    results = read()
    for name in names:
        print(f"{name} …", flush=True)
        results[name] = BENCHES[name]()
        print(f"  {results[name].sentence}", flush=True)
        write(results[known] for known in BENCHES if known in results)
    return 0 if all(results[name].reached for name in names) else 1


if __name__ == "__main__":
    sys.exit(main())
