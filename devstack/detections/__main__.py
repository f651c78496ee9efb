"""``make detections``: runs detection rules on real servers, and the same rules on the raw events.

For each rule it prints whether the server finds the expected events, too few or too many, with the reason by
field, and the totals of each set. The exit status is 1 if a rule that was run is not equal.
"""

from __future__ import annotations

import argparse
import sys
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from cloudtrail_elasticsearch.core.errors import LoaderError
from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.detections.compare import Outcome, Result
from devstack.detections.index import LoadedEvents, read_events
from devstack.detections.report import make_table
from devstack.detections.sets import RuleSets, run_sets
from devstack.fidelity.events import CORPUS
from devstack.processes import ServiceError
from devstack.search_server import DISTRIBUTIONS, OPENSEARCH_3, DownloadError, SearchServer

_TESTS: Final = Path(__file__).resolve().parents[2] / "tests"
RULES: Final = _TESTS / "detections" / "rules"
SAMPLE: Final = _TESTS / "data"
"""Generated events, for machines without recorded ones."""


def main() -> int:
    """Run the rules; the exit status is 1 if one of them is not equal, or if nothing could be run."""
    arguments = _parse_arguments()
    sets = RuleSets(
        rules=tuple(arguments.rules),
        security_analytics=arguments.security_analytics,
        panther=arguments.panther,
        pipeline=arguments.pipeline,
    )
    try:
        lines = read_events(arguments.events)
        print(f"{len(lines):,} events", flush=True)
        outcomes = [outcome for name in arguments.servers for outcome in _run(name, lines, sets)]
    except (LoaderError, ServiceError, DownloadError) as error:
        print(f"It failed: {error}", file=sys.stderr)
        return 1
    return 0 if all(outcome.result in {Result.EQUAL, Result.NOT_RUN} for outcome in outcomes) else 1


def _run(name: str, lines: dict[str, bytes], sets: RuleSets) -> Iterator[Outcome]:
    with SearchServer(DISTRIBUTIONS[name]) as running:
        server = connect(SearchSettings.from_url(running.url))
        events = LoadedEvents.load(server, f"detections-{uuid.uuid4().hex[:8]}", lines)
        for title, outcomes, notes in run_sets(sets, events):
            print("\n".join([make_table(f"\n{name}: {title}", outcomes), *notes]), flush=True)
            yield from outcomes


def _parse_arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make detections", description=__doc__)
    parser.add_argument(
        "--rules",
        nargs="*",
        type=Path,
        default=[RULES],
        help="folders or files of Sigma rules (.yml) and of Elastic's rules (.toml); by default the tests' own",
    )
    parser.add_argument("--security-analytics", type=Path, help="a checkout of OpenSearch Security Analytics")
    parser.add_argument("--panther", type=Path, help="a checkout of panther-analysis: only its paths are read")
    parser.add_argument("--pipeline", type=Path, help="a processing pipeline for Sigma rules (sigma convert -p)")
    events = CORPUS if CORPUS.is_dir() else SAMPLE
    parser.add_argument("--events", type=Path, default=events, help="a file or folder of CloudTrail events")
    parser.add_argument("--servers", nargs="+", choices=DISTRIBUTIONS, default=[OPENSEARCH_3.name])
    return parser.parse_args(given)


if __name__ == "__main__":
    sys.exit(main())
