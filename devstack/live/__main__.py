"""``make live``: follows an account or a trail with live runs while some hours are simulated, with faults.

Then the daily run proves the day. It prints a table, and exits with status 1 if a promise is broken.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from datetime import timedelta
from typing import Final

from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.gate import Gate
from devstack.live.hours import LiveSettings, run_hours
from devstack.live.proof import Outcome, check_hours
from devstack.live.scenario import INTERVAL, ScenarioSettings
from devstack.live.sources import SOURCES
from devstack.long_runs import airflow_home, report_promises, run_to_end, say
from devstack.search_server import DISTRIBUTIONS, OPENSEARCH_3, SearchServer

_NAME: Final = "live"
_HEAD: Final = (
    f"{'server':<16}{'source':<8}{'runs':>5}{'failed':>8}{'killed':>8}{'throttled':>11}{'live events':>13}"
    f"{'too late':>10}{'median s':>10}{'longest s':>11}{'events':>9}{'lost':>6}{'twice':>7}{'strangers':>11}"
    f"{'live calls':>12}{'daily calls':>13}"
)


def main() -> int:
    """Make the runs; the exit status is 1 if a promise is broken."""
    arguments = _parse_arguments()
    return run_to_end(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    scenario = ScenarioSettings(
        runs=int(timedelta(hours=arguments.hours) / INTERVAL), events=arguments.events, seed=arguments.seed
    )
    lines, broken = [_HEAD], []
    for server in arguments.servers:
        for source in arguments.sources:
            say(f"{server}, {source}: {scenario.runs} runs from {scenario.begins:%Y-%m-%d %H:%M} on")
            outcome = _follow(scenario, server, source)
            lines.append(_format_line(server, source, outcome))
            broken += [f"  {server}, {source}: {what}" for what in outcome.broken]
    return report_promises(lines, broken)


def _follow(scenario: ScenarioSettings, name: str, source: str) -> Outcome:
    """Make the runs in a new Airflow and check them. If a promise was broken, Airflow's logs are kept."""
    with airflow_home("live-") as home:
        distribution = DISTRIBUTIONS[name]
        with (
            SearchServer(distribution) as search,
            Gate(search.url) as gate,
            SOURCES[source](scenario) as served,
        ):
            server = connect(SearchSettings.from_url(search.url), distribution.engine)
            observed = run_hours(scenario, LiveSettings(_NAME), served, server, gate, home.path, say)
            outcome = check_hours(scenario, observed)
        home.is_kept = bool(outcome.broken)
        return outcome


def _format_line(server: str, source: str, outcome: Outcome) -> str:
    states = outcome.states
    return (
        f"{server:<16}{source:<8}{states.total():>5}{states['failed']:>8}{outcome.killed:>8}{outcome.throttled:>11,}"
        f"{outcome.live:>13,}{outcome.late:>10}{outcome.median_delay:>10.0f}{outcome.longest_delay:>11.0f}"
        f"{outcome.events:>9,}{outcome.lost:>6}{outcome.twice:>7}{outcome.strangers:>11}"
        f"{outcome.live_calls:>12,}{outcome.daily_calls:>13,}"
    )


def _parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    defaults = ScenarioSettings()
    parser = argparse.ArgumentParser(prog="make live", description=__doc__)
    parser.add_argument(
        "--servers", nargs="+", choices=DISTRIBUTIONS, default=[OPENSEARCH_3.name], help="the search servers"
    )
    parser.add_argument(
        "--sources", nargs="+", choices=SOURCES, default=list(SOURCES), help="the sources to follow"
    )
    parser.add_argument("--hours", type=float, default=4.0, help="simulated hours (%(default)s)")
    parser.add_argument("--seed", type=int, default=defaults.seed, help="the random seed (%(default)s)")
    parser.add_argument(
        "--events", type=int, default=defaults.events, help="management events of the busiest region's weekday"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
