"""The command line: the same code that the operators run, without Airflow."""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from cloudtrail_elasticsearch import __version__
from cloudtrail_elasticsearch.core import codec
from cloudtrail_elasticsearch.core.catalogue import describe
from cloudtrail_elasticsearch.core.errors import LoaderError
from cloudtrail_elasticsearch.core.events import Event, Unreadable, parse_line
from cloudtrail_elasticsearch.core.explain import explain
from cloudtrail_elasticsearch.core.load import Loader, LoadReport
from cloudtrail_elasticsearch.core.mapping import DEFAULT_INDEX, IndexPattern
from cloudtrail_elasticsearch.core.normalize import Normalizer, restore
from cloudtrail_elasticsearch.core.rules import load_rules
from cloudtrail_elasticsearch.core.shape import STRATEGIES, Shape, build, read_fields
from cloudtrail_elasticsearch.sources.files import read_lines


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status: 0 done, 1 some lines were no events, 2 it could not be done."""
    arguments = _parser().parse_args(argv)
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING, stream=sys.stderr)
    for chatty in ("opensearch", "elastic_transport"):
        logging.getLogger(chatty).setLevel(logging.ERROR)
    try:
        status: int = arguments.run(arguments)
    except LoaderError as error:
        sys.stderr.write(f"cloudtrail-elasticsearch: {error}\n")
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status


def _normalize(arguments: argparse.Namespace) -> int:
    normalizer = Normalizer(_shape(arguments))
    lines = _Lines(arguments.files)
    for event in lines.events():
        _write(codec.encode(normalizer.document(event).source))
    return lines.status


def _restore(arguments: argparse.Namespace) -> int:
    lines = _Lines(arguments.files)
    for event in lines.events():
        _write(codec.encode(restore(event.record)))
    return lines.status


def _explain(arguments: argparse.Namespace) -> int:
    normalizer = Normalizer(_shape(arguments))
    pattern = IndexPattern(arguments.index)
    lines = _Lines(arguments.files)
    for event in lines.events():
        document = normalizer.document(event)
        _write(codec.encode(explain(document.id, pattern.name(document.time), document.source)))
    return lines.status


def _catalogue(arguments: argparse.Namespace) -> int:
    shape = _shape(arguments)
    for path in arguments.paths:
        _write(codec.encode(describe(path, shape)))
    return 0


def _load(arguments: argparse.Namespace) -> int:
    return _report(arguments, lambda loader: loader.load(read_lines(arguments.files)))


def _replay(arguments: argparse.Namespace) -> int:
    return _report(arguments, Loader.replay)


def _report(arguments: argparse.Namespace, work: Callable[[Loader], LoadReport]) -> int:
    """Do a loader's work, make its result visible to searches, and print the report."""
    from cloudtrail_elasticsearch.sinks.connect import connect
    from cloudtrail_elasticsearch.sinks.settings import SearchSettings

    began = time.monotonic()
    settings = SearchSettings.from_url(
        arguments.url,
        api_key=os.environ.get("CLOUDTRAIL_SEARCH_API_KEY"),
        ca_certs=arguments.ca_certs,
    )
    loader = Loader(connect(settings), IndexPattern(arguments.index), _shape(arguments))
    loader.prepare()
    report = work(loader)
    loader.count(())
    figures = {
        "read": report.read,
        "indexed": report.indexed,
        "duplicates": report.duplicates,
        "quarantined": report.quarantined,
        "seconds": round(time.monotonic() - began, 3),
    }
    text = json.dumps(figures)
    if arguments.report:
        Path(arguments.report).write_text(text + "\n")
    _write(text.encode())
    return 0


class _Lines:
    """The events of files, and whether every line was one."""

    def __init__(self, files: Sequence[str]) -> None:
        self._files = files or ["-"]
        self.status = 0

    def events(self) -> Iterator[Event]:
        for number, line in enumerate(read_lines(self._files), 1):
            event = parse_line(line)
            if isinstance(event, Unreadable):
                self.status = 1
                sys.stderr.write(f"cloudtrail-elasticsearch: event {number} is left out: {event.reason}\n")
            else:
                yield event


def _write(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")


def _shape(arguments: argparse.Namespace) -> Shape:
    extra = read_fields(Path(arguments.fields)) if arguments.fields else ()
    return build(arguments.mapping, load_rules(map(Path, arguments.rules)), extra, ecs=not arguments.no_ecs)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cloudtrail-elasticsearch",
        description="CloudTrail events into Elasticsearch or OpenSearch, without rejects. Files hold "
        'newline-delimited JSON or {"Records": […]}, gzipped or not; none, or -, is standard input.',
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    shaping = _shaping()
    normalize = _command(commands, "normalize", _normalize, [shaping], "print the document of each event")
    restoring = _command(commands, "restore", _restore, [], "print the event that each document was made of")
    explaining = _command(
        commands,
        "explain",
        _explain,
        [shaping],
        "print which rules changed an event and where its values are found",
    )
    describing = _command(
        commands,
        "catalogue",
        _catalogue,
        [shaping],
        "print which kinds of value paths are known to have, and where their scalars are found",
    )
    describing.add_argument("paths", nargs="+", metavar="PATH", help="names joined by dots")
    loading = _command(commands, "load", _load, [shaping], "load events and print a report")
    replaying = _command(
        commands, "replay", _replay, [shaping], "load the quarantined events of an index again and print a report"
    )
    for command in (normalize, restoring, explaining):
        command.add_argument("files", nargs="*", metavar="FILE")
    loading.add_argument("files", nargs="+", metavar="FILE")
    for command in (explaining, loading, replaying):
        command.add_argument(
            "--index",
            default=DEFAULT_INDEX,
            metavar="PATTERN",
            help="index name, with %%Y, %%m and %%d of the event's time (default: %(default)s)",
        )
    for command in (loading, replaying):
        command.add_argument(
            "--url",
            required=True,
            help="the search server, as http(s)://[user:password@]host:port; an API key comes from "
            "CLOUDTRAIL_SEARCH_API_KEY in the environment",
        )
        command.add_argument("--ca-certs", metavar="FILE", help="the certificate authority to trust")
        command.add_argument("--report", metavar="FILE", help="also write the report there, as JSON")
    return parser


def _shaping() -> argparse.ArgumentParser:
    shaping = argparse.ArgumentParser(add_help=False)
    shaping.add_argument(
        "--mapping", choices=STRATEGIES, default="typed", help="mapping strategy (default: typed)"
    )
    shaping.add_argument("--rules", action="append", default=[], metavar="FILE", help="a rules file of your own")
    shaping.add_argument("--fields", metavar="FILE", help="more paths to have fields of their own, one to a line")
    shaping.add_argument("--no-ecs", action="store_true", help="leave out the names of the Elastic Common Schema")
    return shaping


def _command(commands: Any, name: str, run: Any, parents: list[argparse.ArgumentParser], about: str) -> Any:
    command = commands.add_parser(name, parents=parents, help=about, description=f"{about.capitalize()}.")
    command.set_defaults(run=run)
    return command


if __name__ == "__main__":
    sys.exit(main())
