"""``make faults``: runs backfills with faults at random moments, and prints a table at the end."""

from __future__ import annotations

import argparse
import secrets
import signal
import sys
import time
from collections import Counter
from collections.abc import Sequence
from random import Random

from cloudtrail_elasticsearch.core.errors import LoaderError
from devstack.airflow_api import AirflowError
from devstack.faults.fault import Rotation
from devstack.faults.kinds import FAULTS, TRAIL_FAULTS
from devstack.faults.round import Outcome, RoundError, RoundSettings, look_up, read_trail, run_round
from devstack.processes import ServiceError
from devstack.search_server import DISTRIBUTIONS, ELASTICSEARCH_9, OPENSEARCH_3, DownloadError


def main() -> int:
    """Run the suite; the exit status is 1 if a promise is broken."""
    arguments = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    print(f"{arguments.faults} faults, seed {arguments.seed}", flush=True)
    outcomes: list[Outcome] = []
    try:
        _run_rounds(arguments, outcomes)
    except KeyboardInterrupt:
        print(f"\n{table(outcomes)}\nStopped.")
        return 130
    except (RoundError, AirflowError, ServiceError, DownloadError, LoaderError) as error:
        print(f"\n{table(outcomes)}\nThe suite failed: {error}")
        return 1
    print(f"\n{table(outcomes)}")
    return 0 if all(not outcome.broken for outcome in outcomes) else 1


def _run_rounds(arguments: argparse.Namespace, outcomes: list[Outcome]) -> None:
    # A round of LookupEvents, then one of a trail, each with its own faults.
    sources = [
        (look_up, Rotation(FAULTS, Random(arguments.seed))),
        (read_trail, Rotation(TRAIL_FAULTS, Random(arguments.seed))),
    ]
    while (left := arguments.faults - sum(outcome.struck for outcome in outcomes)) > 0:
        number = len(outcomes)
        settings = RoundSettings(
            DISTRIBUTIONS[arguments.servers[number % len(arguments.servers)]],
            seed=arguments.seed + number,
            faults=min(left, arguments.faults_a_round),
            days=arguments.days,
            volume=arguments.volume,
        )
        print(f"\nRound {number + 1}, {time.strftime('%H:%M:%S')}", flush=True)
        # Each source meets each server.
        choose, rotation = sources[number // len(arguments.servers) % len(sources)]
        outcomes.append(run_round(settings, rotation, lambda line: print(line, flush=True), choose))
        print(_line(outcomes[-1]), flush=True)


def table(outcomes: Sequence[Outcome]) -> str:
    """Return the figures of every round, their sums, and the number of faults of each kind."""
    kinds: Counter[str] = sum((outcome.faults for outcome in outcomes), Counter())
    struck = [f"  {count:>3}  {name}" for name, count in sorted(kinds.items())]
    broken = [
        f"  {outcome.server}, seed {outcome.seed}: {what}" for outcome in outcomes for what in outcome.broken
    ]
    end = "Broken promises:" if broken else "Every promise was kept."
    return "\n".join([_HEAD, *map(_line, outcomes), _total(outcomes), "", *struck, "", end, *broken])


_HEAD = (
    f"{'server':<16}{'seed':>9}{'events':>9}{'faults':>8}{'attempts':>10}{'most':>6}{'fetches again':>15}"
    f"{'pages twice':>13}{'a fetch':>9}{'allowed':>9}{'lost':>6}{'double':>8}{'quarantined':>13}{'mended':>8}"
    f"{'orphans':>9}{'seconds':>9}"
)


def _line(outcome: Outcome) -> str:
    return f"{outcome.server:<16}{outcome.seed:>9}" + _figures([outcome])


def _total(outcomes: Sequence[Outcome]) -> str:
    return f"{f'{len(outcomes)} rounds':<25}" + _figures(outcomes)


def _figures(outcomes: Sequence[Outcome]) -> str:
    attempts = [outcome.attempts for outcome in outcomes]
    events = [outcome.events for outcome in outcomes]
    again = sum(each.fetches_again for each in attempts)
    pages = sum(outcome.repeated_pages for outcome in outcomes)
    return "".join(
        [
            f"{sum(each.there_are for each in events):>9,}",
            f"{sum(outcome.struck for outcome in outcomes):>8}",
            f"{sum(each.all for each in attempts):>10}",
            f"{max((each.most for each in attempts), default=0):>6}",
            f"{again:>15}",
            f"{pages:>13}",
            f"{pages / again if again else 0:>9.1f}",
            f"{sum(outcome.allowed_pages for outcome in outcomes):>9}",
            f"{sum(each.lost for each in events):>6}",
            f"{sum(each.duplicates for each in events):>8}",
            f"{sum(each.quarantined for each in events):>13}",
            f"{sum(outcome.mended for outcome in outcomes):>8}",
            f"{sum(outcome.orphans for outcome in outcomes):>9}",
            f"{sum(outcome.seconds for outcome in outcomes):>9,.0f}",
        ]
    )


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="make faults", description=__doc__)
    parser.add_argument("--faults", type=int, default=50, help="number of faults (%(default)s)")
    parser.add_argument("--faults-a-round", type=int, default=10, help="most faults in one backfill (%(default)s)")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000), help="the random seed")
    parser.add_argument("--days", type=int, default=4, help="days of a backfill (%(default)s)")
    parser.add_argument("--volume", type=int, default=1500, help="events of a busy day (%(default)s)")
    parser.add_argument(
        "--servers", nargs="+", choices=DISTRIBUTIONS, default=[OPENSEARCH_3.name, ELASTICSEARCH_9.name]
    )
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
