"""The command line's options of new indices, and the command that writes a lifecycle policy."""

from __future__ import annotations

import argparse
import os
import sys
from typing import TYPE_CHECKING

from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.index.index_settings import IndexSettings
from cloudtrail_elasticsearch.core.index.lifecycle import DEFAULT_POLICY, LifecyclePolicy, put_policy

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.core.search.server import SearchServer


def add_server_options(command: argparse.ArgumentParser) -> None:
    """Add the options that name the search server."""
    command.add_argument(
        "--url",
        required=True,
        help="the search server, as http(s)://[user:password@]host:port; the environment variable "
        "CLOUDTRAIL_SEARCH_API_KEY can hold an API key",
    )
    command.add_argument("--ca-certs", metavar="FILE", help="a CA bundle to trust (default: the system's CAs)")


def add_index_options(command: argparse.ArgumentParser) -> None:
    """Add the options that only affect indices that the command creates."""
    new = "of indices that are created"
    command.add_argument("--shards", metavar="N", help=f"primary shards {new} (default: the server's)")
    command.add_argument("--replicas", metavar="N", help=f"replicas {new} (default: the server's)")
    command.add_argument("--lifecycle", metavar="NAME", help=f"the ILM or ISM policy {new}")
    command.add_argument("--pipeline", metavar="NAME", help=f"the ingest pipeline {new}")


def add_lifecycle_options(command: argparse.ArgumentParser) -> None:
    """Add the options of the lifecycle command."""
    command.add_argument("--name", default=DEFAULT_POLICY, help="the policy's name (default: %(default)s)")
    command.add_argument(
        "--warm-days",
        type=int,
        default=30,
        metavar="DAYS",
        help="days until an index is warm (default: %(default)s)",
    )
    command.add_argument(
        "--delete-days", type=int, required=True, metavar="DAYS", help="days until an index is deleted"
    )
    command.add_argument("--dry-run", action="store_true", help="only print the policy")


def read_index_settings(arguments: argparse.Namespace) -> IndexSettings:
    """Return the settings of new indices; a command without the options chooses none.

    :raises ConfigurationError: a number is wrong
    """
    names = ("shards", "replicas", "lifecycle", "pipeline")
    return IndexSettings.parse(**{name: getattr(arguments, name, None) for name in names})


def connect_server(arguments: argparse.Namespace) -> SearchServer:
    """Return the search server that the options name."""
    # Imported late, because a client takes long to import, and most commands need none.
    from cloudtrail_elasticsearch.sinks.connect import connect
    from cloudtrail_elasticsearch.sinks.settings import SearchSettings

    settings = SearchSettings.from_url(
        arguments.url,
        # Not an option: other users of the machine can read a command's arguments.
        api_key=os.environ.get("CLOUDTRAIL_SEARCH_API_KEY"),
        ca_certs=arguments.ca_certs,
    )
    return connect(settings)


def run_lifecycle(arguments: argparse.Namespace) -> int:
    """Write the policy to the server unless it is a dry run, and print it."""
    policy = LifecyclePolicy(arguments.name, arguments.warm_days, arguments.delete_days)
    server = connect_server(arguments)
    if not arguments.dry_run:
        put_policy(server, policy)
    sys.stdout.buffer.write(codec.encode(policy.make_content(server.engine)) + b"\n")
    return 0
