"""The simulator as a process: ``python -m devstack.simulator``. Its URL is the one line on stdout."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import orjson

from devstack.simulator.organization import Member, Role, make_members
from devstack.simulator.recorded import Recorded
from devstack.simulator.regions import REGIONS, SHARES
from devstack.simulator.server import serve
from devstack.simulator.service import Service
from devstack.simulator.settings import SimulatorSettings
from devstack.simulator.store import Lateness


def main(arguments: Sequence[str] | None = None) -> int:
    """Serve until SIGTERM or SIGINT; return the exit status."""
    try:
        service = Service.make(_settings(_parser().parse_args(arguments)))
        asyncio.run(_serve(service))
    except (OSError, ValueError) as error:
        print(f"simulator: {error}", file=sys.stderr)
        return 1
    return 0


async def _serve(service: Service) -> None:
    stop = asyncio.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(signal_number, stop.set)
    await serve(service, lambda url: print(url, flush=True), stop)


def _parser() -> argparse.ArgumentParser:
    default = SimulatorSettings()
    parser = argparse.ArgumentParser(
        prog="python -m devstack.simulator", description="Serve a simulated CloudTrail."
    )
    add = parser.add_argument
    add("--port", type=int, default=default.port, help="0 takes a free one")
    add("--quota", type=float, default=default.quota, help="requests a second, per account and region")
    add("--burst", type=int, default=default.burst, help="requests at once")
    add("--latency", type=float, default=default.latency, help="seconds before an answer")
    add("--token-lifetime", type=float, default=default.token_lifetime, help="seconds")
    add("--seed", type=int, default=default.seed, help="of the generated events")
    add("--volume", type=int, default=default.volume, help="generated events a weekday of the busiest region")
    add("--even", action="store_true", help="every region is as busy as the busiest")
    add("--recorded", type=Path, nargs="+", default=(), metavar="FILE", help="NDJSON files, plain or gzip")
    add(
        "--recorded-days",
        type=date.fromisoformat,
        nargs="+",
        default=(),
        metavar="DAY",
        help="spread them over these days",
    )
    add("--recorded-stray-region", metavar="REGION", help="serve events of other regions here")
    add("--late-fraction", type=float, default=0.0, help="of the events, from 0 to 1")
    add("--late-seconds", type=int, nargs=2, default=(60, 900), metavar=("MIN", "MAX"), help="how late they are")
    add("--insights", type=float, default=default.insights, help="times of unusual activity a day, as --volume")
    add("--accounts", type=int, default=0, metavar="COUNT", help="accounts of the organization, most are quiet")
    add("--role", default="cloudtrail-reader", help="the role in each of them; the default account may assume it")
    add(
        "--organization",
        type=Path,
        metavar="FILE",
        help="the accounts and their roles instead: a JSON list of the objects of `organization.Member`",
    )
    return parser


def _settings(options: argparse.Namespace) -> SimulatorSettings:
    return SimulatorSettings(
        port=options.port,
        quota=options.quota,
        burst=options.burst,
        latency=options.latency,
        token_lifetime=options.token_lifetime,
        seed=options.seed,
        volume=options.volume,
        shares=dict.fromkeys(REGIONS, 1.0) if options.even else SHARES,
        recorded=Recorded(tuple(options.recorded), tuple(options.recorded_days), options.recorded_stray_region),
        insights=options.insights,
        members=_members(options),
        lateness=Lateness(options.late_fraction, *options.late_seconds),
    )


def _members(options: argparse.Namespace) -> tuple[Member, ...]:
    file: Path | None = options.organization
    if file is None:
        return make_members(options.accounts, Role(options.role), seed=options.seed)
    try:
        return tuple(Member.read(body) for body in orjson.loads(file.read_bytes()))
    except (AttributeError, TypeError) as error:
        raise ValueError(f"{file} is no list of accounts: {error}") from error


if __name__ == "__main__":
    sys.exit(main())
