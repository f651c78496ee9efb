"""The options of the command line that enrich documents."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from cloudtrail_elasticsearch.core.encoding import typed
from cloudtrail_elasticsearch.core.errors import EnrichmentError
from cloudtrail_elasticsearch.core.user_files import show_path

if TYPE_CHECKING:
    from cloudtrail_elasticsearch.core.enrichment.enrichment import Enrichment


class _Account(msgspec.Struct):
    id: str = msgspec.field(name="Id")
    name: str = msgspec.field(name="Name")


class _Accounts(msgspec.Struct):
    """The answer of ListAccounts.

    https://docs.aws.amazon.com/organizations/latest/APIReference/API_ListAccounts.html
    """

    accounts: list[_Account] = msgspec.field(name="Accounts")


def add_enrichment_options(options: Any) -> None:
    """Add the options to a parser."""
    options.add_argument(
        "--ip-database",
        action="append",
        default=[],
        metavar="FILE",
        help="add the places or the networks of addresses from a MaxMind-format file; can be repeated",
    )
    options.add_argument("--user-agents", action="store_true", help="add the fields of parsed user agents")
    options.add_argument(
        "--account-names",
        metavar="FILE",
        help="add the names of accounts from the output of aws organizations list-accounts (JSON)",
    )


def open_enrichment(arguments: argparse.Namespace) -> Enrichment | None:
    """Return the enrichment that the options turn on; None if they turn none on.

    :raises EnrichmentError: a file is missing, broken or wrong, or a package is not installed
    """
    if not (arguments.ip_database or arguments.user_agents or arguments.account_names):
        return None
    # Imported late, because most commands need none of it.
    from cloudtrail_elasticsearch.core.enrichment.databases import Databases
    from cloudtrail_elasticsearch.core.enrichment.enrichment import Enrichment
    from cloudtrail_elasticsearch.core.enrichment.user_agents import UserAgents

    return Enrichment(
        databases=Databases([Path(name) for name in arguments.ip_database]) if arguments.ip_database else None,
        user_agents=UserAgents() if arguments.user_agents else None,
        account_names=_read_account_names(Path(arguments.account_names)) if arguments.account_names else None,
    )


def _read_account_names(file: Path) -> dict[str, str]:
    try:
        found = typed.decode(file.read_bytes(), _Accounts)
    except OSError as error:
        raise EnrichmentError(
            f"The file of accounts {show_path(file)} cannot be read: {error.strerror}."
        ) from error
    except msgspec.MsgspecError as error:
        # The message of the error could quote the file.
        raise EnrichmentError(
            f"The file of accounts {show_path(file)} is not the output of aws organizations list-accounts: write "
            f"it again, with --output json."
        ) from error
    return {account.id: account.name for account in found.accounts}
