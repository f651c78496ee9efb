"""``make organization``: backfills the trail of an organization, intact and damaged, into real search servers.

It prints a table, and exits with status 1 if a promise is broken.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from typing import Final

from cloudtrail_elasticsearch.sinks.connect import connect
from cloudtrail_elasticsearch.sinks.settings import SearchSettings
from devstack.endpoints import Endpoints
from devstack.long_runs import airflow_home, report_promises, run_to_end, say
from devstack.organization.backfill import (
    BackfillSettings,
    run_backfill,
    simulated_cloudtrail,
)
from devstack.organization.damage import INTACT, Damage, damage_trail
from devstack.organization.proof import Outcome, check_backfill
from devstack.organization.trail import OrganizationSettings, OrganizationTrail, write_organization
from devstack.search_server import (
    DISTRIBUTIONS,
    ELASTICSEARCH_9,
    OPENSEARCH_3,
    Distribution,
    SearchServer,
)

_BUCKET: Final = "organization-staging"
_HEAD: Final = (
    f"{'server':<16}{'trail':<9}{'days':>5}{'cells':>8}{'signed':>8}{'named':>7}{'events':>9}{'lost':>6}"
    f"{'twice':>7}{'strangers':>11}{'seconds':>9}"
)


def main() -> int:
    """Run the backfills; the exit status is 1 if a promise is broken."""
    arguments = _parse_arguments()
    return run_to_end(lambda: _run(arguments))


def _run(arguments: argparse.Namespace) -> int:
    settings = OrganizationSettings(
        accounts=arguments.accounts,
        busy=min(arguments.busy, arguments.accounts),
        days=arguments.days,
        events=arguments.events,
    )
    began = time.monotonic()
    trail = write_organization(settings)
    files, digests = len(trail.written.log_files), len(trail.written.digests)
    size = f"{files:,} log files and {digests:,} digests"
    say(f"{size} of {settings.first} to {settings.last} were written in {time.monotonic() - began:.0f} s.")
    damaged = trail.copy()
    # A day in the middle, so that a whole day precedes and follows it.
    damage = damage_trail(damaged, trail.days[settings.days // 2])
    cases = {"intact": (trail, INTACT), "damaged": (damaged, damage)}
    lines, broken = [_HEAD], []
    for name in arguments.servers:
        server = DISTRIBUTIONS[name]
        with SearchServer(server) as search, simulated_cloudtrail() as simulator:
            # Each backfill has a stand-in for S3 of its own.
            endpoints = Endpoints("", simulator.endpoint_url, search.url, server.engine)
            for kind in arguments.trails:
                loaded, expected = cases[kind]
                say(f"{name}, {kind}:")
                began = time.monotonic()
                outcome = _load(loaded, expected, BackfillSettings(f"organization-{kind}", _BUCKET), endpoints)
                lines.append(_format_line(server, kind, settings, outcome, time.monotonic() - began))
                broken += [f"  {name}, {kind}: {what}" for what in outcome.broken]
                say(f"{_HEAD}\n{lines[-1]}")
    return report_promises(lines, broken)


def _load(trail: OrganizationTrail, damage: Damage, settings: BackfillSettings, endpoints: Endpoints) -> Outcome:
    """Run a backfill in a new Airflow and check it. If a promise was broken, Airflow's logs are kept."""
    with airflow_home("organization-") as home:
        runs = run_backfill(trail, settings, endpoints, home.path, say)
        server = connect(SearchSettings.from_url(endpoints.search), endpoints.engine)
        outcome = check_backfill(trail, damage, settings, server, runs)
        home.is_kept = bool(outcome.broken)
        return outcome


def _format_line(
    server: Distribution, kind: str, settings: OrganizationSettings, outcome: Outcome, seconds: float
) -> str:
    return (
        f"{server.name:<16}{kind:<9}{settings.days:>5}{outcome.cells:>8,}{outcome.signed:>8,}{outcome.named:>7}"
        f"{outcome.events:>9,}{outcome.lost:>6}{outcome.twice:>7}{outcome.strangers:>11}{seconds:>9.0f}"
    )


def _parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    defaults = OrganizationSettings()
    parser = argparse.ArgumentParser(prog="make organization", description=__doc__)
    servers = [OPENSEARCH_3.name, ELASTICSEARCH_9.name]
    parser.add_argument("--servers", nargs="+", choices=DISTRIBUTIONS, default=servers, help="the search servers")
    trails = ["intact", "damaged"]
    parser.add_argument("--trails", nargs="+", choices=trails, default=trails, help="the trails to load")
    parser.add_argument("--accounts", type=int, default=defaults.accounts, help="accounts of the organization")
    parser.add_argument("--busy", type=int, default=defaults.busy, help="of them, those with many events")
    parser.add_argument("--days", type=int, default=defaults.days, help="days of delivery")
    parser.add_argument(
        "--events", type=int, default=defaults.events, help="management events of the busiest window of a weekday"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    sys.exit(main())
