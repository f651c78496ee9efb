"""The command line: it runs the same code as the operators, without Airflow.

Over 300 lines, because all commands and their options are declared in one list.
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from cloudtrail_elasticsearch import __version__
from cloudtrail_elasticsearch.cli_enrichment import add_enrichment_options, open_enrichment
from cloudtrail_elasticsearch.cli_indices import (
    add_index_options,
    add_lifecycle_options,
    add_server_options,
    connect_server,
    read_index_settings,
    run_lifecycle,
)
from cloudtrail_elasticsearch.cli_progress import LoadProgress
from cloudtrail_elasticsearch.cli_trail import (
    S3,
    TrailLoad,
    add_trail_options,
    check_no_trail_options,
    make_plan,
    run_verify_trail,
)
from cloudtrail_elasticsearch.core.documents.catalogue import describe
from cloudtrail_elasticsearch.core.documents.declared_fields import read_fields
from cloudtrail_elasticsearch.core.documents.event_filter import EventFilter
from cloudtrail_elasticsearch.core.documents.events import Event, Unreadable, document_id, parse_line
from cloudtrail_elasticsearch.core.documents.explain import explain, explain_left_out
from cloudtrail_elasticsearch.core.documents.normalize import Normalizer
from cloudtrail_elasticsearch.core.documents.rules import load_rules
from cloudtrail_elasticsearch.core.documents.schema import STRATEGIES, Schema
from cloudtrail_elasticsearch.core.documents.schema_builder import build_schema
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.errors import ConfigurationError, FileError, LoaderError
from cloudtrail_elasticsearch.core.index.index_pattern import DEFAULT_INDEX, IndexPattern
from cloudtrail_elasticsearch.core.loading.loader import Loader, LoadSettings
from cloudtrail_elasticsearch.core.loading.report import LoadReport
from cloudtrail_elasticsearch.sources.files import FileReport, Files, find_files
from cloudtrail_elasticsearch.sources.files.documents import DocumentReader
from cloudtrail_elasticsearch.sources.files.dumps import read_document, restore_event
from cloudtrail_elasticsearch.sources.files.names import STANDARD_INPUT, count_bytes


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command and return its exit status.

    0: success. 1: done, but something could not be read as an event, or is not proven. 2: the command failed.
    """
    arguments = _make_parser().parse_args(argv)
    logging.basicConfig(format="%(levelname)s: %(message)s", level=logging.WARNING, stream=sys.stderr)
    # The loader's own messages describe the failures of requests.
    for noisy in ("opensearch", "elastic_transport"):
        logging.getLogger(noisy).setLevel(logging.ERROR)
    try:
        status: int = arguments.run(arguments)
    except LoaderError as error:
        _print_sentence(str(error))
        return 2
    except BrokenPipeError:
        # Python flushes standard output at its end, and would report the closed pipe.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    return status


def _run_normalize(arguments: argparse.Namespace) -> int:
    schema = _build_schema(arguments)
    normalizer = Normalizer(schema)
    files = _open_files(arguments)
    for event, rule in _filter_events(files, schema):
        if rule is None:
            _write(codec.encode(normalizer.document(event).source))
    return _report_problems(files)


def _run_restore(arguments: argparse.Namespace) -> int:
    files = Files(find_files(arguments.files or [STANDARD_INPUT]), DocumentReader)
    for line in files.lines():
        try:
            event = restore_event(read_document(line))
        except FileError as error:
            files.reports[-1].unreadable += 1
            _report_unreadable(files.reports[-1], str(error))
        else:
            _write(codec.encode(event))
    return _report_problems(files)


def _run_explain(arguments: argparse.Namespace) -> int:
    schema = _build_schema(arguments)
    normalizer = Normalizer(schema)
    pattern = IndexPattern(arguments.index)
    files = _open_files(arguments)
    for event, rule in _filter_events(files, schema):
        if rule is None:
            document = normalizer.document(event)
            report = explain(document.id, pattern.name(document.time), document.source)
        else:
            report = explain_left_out(document_id(event), rule)
        _write(codec.encode(report))
    return _report_problems(files)


def _run_catalogue(arguments: argparse.Namespace) -> int:
    schema = _build_schema(arguments)
    for path in arguments.paths:
        _write(codec.encode(describe(path, schema)))
    return 0


def _run_load(arguments: argparse.Namespace) -> int:
    pattern = IndexPattern(arguments.index)
    if any(name.startswith(S3) for name in arguments.files):
        return _run_load_trail(arguments, pattern)
    check_no_trail_options(arguments)
    names = find_files(arguments.files)
    files = Files(names)
    with LoadProgress(sys.stderr, count_bytes(names)) as progress:

        def show(report: LoadReport, _: int) -> None:
            progress.show(report.read, files.bytes)

        figures = _run_loader(
            arguments, pattern, lambda loader: loader.load(files.lines(), show, files.add_outcomes)
        )
    _print_report(arguments, figures | files.as_json())
    return _report_problems(files)


def _run_load_trail(arguments: argparse.Namespace, pattern: IndexPattern) -> int:
    if len(arguments.files) > 1:
        raise ConfigurationError("A trail's bucket is loaded alone: name no other file or bucket beside it.")
    load = TrailLoad(make_plan(arguments, arguments.files[0], "", is_proving=arguments.verify_digests))
    figures = _run_loader(arguments, pattern, load.run)
    _print_report(arguments, figures | load.as_json())
    return load.status


def _run_replay(arguments: argparse.Namespace) -> int:
    _print_report(arguments, _run_loader(arguments, IndexPattern(arguments.index), Loader.replay))
    return 0


def _run_loader(
    arguments: argparse.Namespace, pattern: IndexPattern, work: Callable[[Loader], LoadReport]
) -> dict[str, Any]:
    """Run a load or a replay, make its documents visible to searches, and return its figures."""
    began = time.monotonic()
    chosen = read_index_settings(arguments)
    settings = LoadSettings(renews_enrichment=arguments.renew_enrichment)
    schema = _build_schema(arguments)
    loader = Loader(connect_server(arguments), pattern, schema, settings, index_settings=chosen)
    loader.prepare()
    report = work(loader)
    # Only for its refresh, so that a search finds the documents after the command.
    loader.count(())
    return {
        "read": report.read,
        "indexed": report.indexed,
        "duplicates": report.duplicates,
        "quarantined": report.quarantined,
        "left_out": report.left_out,
        "left_out_by": dict(report.left_out_by),
        "seconds": round(time.monotonic() - began, 3),
    }


def _print_report(arguments: argparse.Namespace, figures: dict[str, Any]) -> None:
    text = json.dumps(figures)
    if arguments.report:
        Path(arguments.report).write_text(text + "\n")
    _write(text.encode())


def _open_files(arguments: argparse.Namespace) -> Files:
    return Files(find_files(arguments.files or [STANDARD_INPUT]))


def _read_events(files: Files) -> Iterator[Event]:
    """Yield the events of files; report each value that is not an event, and its place."""
    for line in files.lines():
        event = parse_line(line)
        if isinstance(event, Unreadable):
            _report_unreadable(files.reports[-1], event.reason)
        else:
            yield event


def _filter_events(files: Files, schema: Schema) -> Iterator[tuple[Event, str | None]]:
    """Yield each event, and the rule that leaves it out; report how many events each rule left out."""
    event_filter = EventFilter(schema.leave_out)
    left_out: Counter[str] = Counter()
    for event in _read_events(files):
        rule = event_filter.find_rule_of(event.record)
        if rule is not None:
            left_out[rule] += 1
        yield event, rule
    for rule, events in left_out.most_common():
        _print_sentence(f"{events} events were left out by rule {rule}.")


def _report_unreadable(report: FileReport, reason: str) -> None:
    _print_sentence(f"event {report.read} of {report.file} is unreadable: {reason}")


def _report_problems(files: Files) -> int:
    """Print the problems of each file, and return the exit status."""
    for report in files.reports:
        if report.error:
            _print_sentence(f"{report.file}: {report.error}.")
    return 0 if files.are_sound else 1


def _print_sentence(sentence: str) -> None:
    sys.stderr.write(f"cloudtrail-elasticsearch: {sentence}\n")


def _write(line: bytes) -> None:
    sys.stdout.buffer.write(line + b"\n")


def _build_schema(arguments: argparse.Namespace) -> Schema:
    extra = read_fields(Path(arguments.fields)) if arguments.fields else ()
    ecs = not arguments.no_ecs
    rules = load_rules(map(Path, arguments.rules))
    schema = build_schema(arguments.mapping, rules, extra, ecs, texts=arguments.texts)
    return replace(schema, enrichment=open_enrichment(arguments)) if ecs else schema


def _make_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="cloudtrail-elasticsearch",
        description="Load CloudTrail events into Elasticsearch or OpenSearch. A FILE is a file, a "
        "folder, a quoted pattern (** for any depth), or - for standard input; its shape and compression are "
        "detected from its content. Exit status 0: success. 1: something could not be read as an event, or is not "
        "proven. 2: the command failed.",
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(title="commands", required=True, metavar="COMMAND")
    schema_options = _make_schema_options()
    normalize = _add_command(
        commands, "normalize", _run_normalize, [schema_options], "print the document of each event"
    )
    restore = _add_command(commands, "restore", _run_restore, [], "print the original event of each document")
    explain_command = _add_command(
        commands,
        "explain",
        _run_explain,
        [schema_options],
        "print which rules changed an event, and which field finds each of its values",
    )
    catalogue = _add_command(
        commands,
        "catalogue",
        _run_catalogue,
        [schema_options],
        "print which kinds of value a path can have, and which fields find its scalars",
    )
    catalogue.add_argument("paths", nargs="+", metavar="PATH", help="field names joined by dots")
    load = _add_command(commands, "load", _run_load, [schema_options], "load events, and print a report")
    replay = _add_command(
        commands,
        "replay",
        _run_replay,
        [schema_options],
        "load the quarantined events of an index pattern again, and print a report",
    )
    for command in (normalize, restore, explain_command):
        command.add_argument("files", nargs="*", metavar="FILE")
    load.add_argument("files", nargs="+", metavar="FILE")
    add_trail_options(load)
    load.add_argument(
        "--verify-digests",
        action="store_true",
        help="verify the log files of a trail's bucket with AWS's signed digests",
    )
    verify_trail = _add_command(
        commands,
        "verify-trail",
        run_verify_trail,
        [],
        "prove a trail's bucket with AWS's signed digests, and load nothing",
    )
    verify_trail.add_argument("bucket", metavar="s3://BUCKET")
    verify_trail.add_argument("--prefix", default="", help="the S3 key prefix of the trail")
    add_trail_options(verify_trail)
    for command in (explain_command, load, replay):
        command.add_argument(
            "--index",
            default=DEFAULT_INDEX,
            metavar="PATTERN",
            help="index name; %%Y, %%m and %%d stand for the event's date (default: %(default)s)",
        )
    for command in (load, replay):
        add_server_options(command)
        add_index_options(command)
        command.add_argument(
            "--renew-enrichment",
            action="store_true",
            help="replace indexed documents that differ only in fields of enrichment; by default they stay",
        )
        command.add_argument("--report", metavar="FILE", help="also write the JSON report to this file")
    lifecycle = _add_command(
        commands, "lifecycle", run_lifecycle, [], "write a lifecycle policy for the events' indices, and print it"
    )
    add_server_options(lifecycle)
    add_lifecycle_options(lifecycle)
    return parser


def _make_schema_options() -> argparse.ArgumentParser:
    schema_options = argparse.ArgumentParser(add_help=False)
    schema_options.add_argument(
        "--mapping", choices=STRATEGIES, default="typed", help="mapping strategy (default: typed)"
    )
    schema_options.add_argument(
        "--rules", action="append", default=[], metavar="FILE", help="an additional rules file; can be repeated"
    )
    schema_options.add_argument(
        "--fields", metavar="FILE", help="a file of additional declared fields, one path on each line"
    )
    schema_options.add_argument(
        "--no-ecs", action="store_true", help="do not add the fields of the Elastic Common Schema"
    )
    schema_options.add_argument(
        "--texts",
        action="store_true",
        help="also index requestParameters, responseElements and the other two open objects as one text each",
    )
    add_enrichment_options(schema_options)
    return schema_options


def _add_command(commands: Any, name: str, run: Any, parents: list[argparse.ArgumentParser], about: str) -> Any:
    command = commands.add_parser(name, parents=parents, help=about, description=f"{about.capitalize()}.")
    command.set_defaults(run=run)
    return command


if __name__ == "__main__":
    sys.exit(main())
