"""``make accounts``: backfills the accounts of an organization, of which some lack the role, into a search server.

Then the missing roles are created, and the same backfill runs again. It prints a table, and exits with status 1 if
a promise is broken.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from typing import Final

from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.accounts.backfill import BackfillSettings, Loaded, Observed, run_backfills
from devstack.accounts.proof import Figures, Outcome, check_backfills
from devstack.accounts.scenario import Scenario, ScenarioSettings
from devstack.endpoints import Endpoints
from devstack.long_runs import airflow_home, report_promises, run_to_end, say
from devstack.search_server import DISTRIBUTIONS, OPENSEARCH_3, Distribution, SearchServer

_NAME: Final = "accounts"
_HEAD: Final = (
    f"{'server':<16}{'backfill':<10}{'cells':>7}{'complete':>10}{'quiet':>7}{'missing':>9}{'events':>9}{'lost':>6}"
    f"{'twice':>7}{'strangers':>11}{'tasks':>7}{'attempts':>10}{'calls':>7}{'sessions':>10}{'seconds':>9}{'cpu':>7}"
)


def main() -> int:
    """Run the backfills; the exit status is 1 if a promise is broken."""
    arguments = _parse_arguments()
    return run_to_end(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    settings = ScenarioSettings(
        accounts=arguments.accounts, refused=arguments.refused, days=arguments.days, events=arguments.events
    )
    scenario = Scenario.make(settings)
    size = f"{settings.accounts} accounts x {len(settings.regions)} regions x {settings.days} days"
    say(f"{size}, {settings.first} to {settings.last}; {settings.refused} accounts lack the role at first.")
    lines, broken = [_HEAD], []
    for name in arguments.servers:
        server = DISTRIBUTIONS[name]
        say(f"{name}:")
        with SearchServer(server) as search:
            loaded, outcome = _load(scenario, Endpoints("", "", search.url, server.engine))
        lines += [
            _format_line(server, "first", outcome.first, loaded.first),
            _format_line(server, "second", outcome.second, loaded.second),
        ]
        broken += [f"  {name}, {what}" for what in outcome.broken]
    return report_promises(lines, broken)


def _load(scenario: Scenario, endpoints: Endpoints) -> tuple[Loaded, Outcome]:
    """Run both backfills in a new Airflow and check them. If a promise was broken, Airflow's logs are kept."""
    with airflow_home("accounts-") as home:
        server = connect(SearchSettings.from_url(endpoints.search), endpoints.engine)
        loaded = run_backfills(scenario, BackfillSettings(_NAME), endpoints, server, home.path, say)
        outcome = check_backfills(scenario, loaded)
        home.is_kept = bool(outcome.broken)
        return loaded, outcome


def _format_line(server: Distribution, name: str, figures: Figures, observed: Observed) -> str:
    cells = figures.cells
    return (
        f"{server.name:<16}{name:<10}{cells.total():>7,}{cells['complete']:>10,}{cells['quiet']:>7,}"
        f"{cells['missing']:>9,}{figures.events:>9,}{figures.lost:>6}{figures.twice:>7}{figures.strangers:>11}"
        f"{figures.tasks:>7}{figures.attempts:>10}{figures.calls:>7,}{figures.assumed:>10}"
        f"{observed.seconds:>9.0f}{observed.processor_seconds:>7.0f}"
    )


def _parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    defaults = ScenarioSettings()
    parser = argparse.ArgumentParser(prog="make accounts", description=__doc__)
    parser.add_argument(
        "--servers", nargs="+", choices=DISTRIBUTIONS, default=[OPENSEARCH_3.name], help="the search servers"
    )
    parser.add_argument("--accounts", type=int, default=defaults.accounts, help="accounts of the organization")
    parser.add_argument("--refused", type=int, default=defaults.refused, help="of them, those without the role")
    parser.add_argument("--days", type=int, default=defaults.days, help="days to load")
    parser.add_argument(
        "--events", type=int, default=defaults.events, help="management events of the busiest window of a weekday"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
