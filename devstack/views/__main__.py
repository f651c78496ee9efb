"""The command line: ``python -m devstack.views write``, and ``python -m devstack.views import URL``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Final

from cloudtrail_elasticsearch.core.errors import LoaderError
from cloudtrail_elasticsearch.core.index.index_pattern import DEFAULT_INDEX, IndexPattern
from devstack.processes import ROOT
from devstack.views.importing import ImportingError, import_views
from devstack.views.products import PRODUCTS, ndjson

FOLDER: Final = ROOT / "docs" / "views"


def main() -> int:
    """Write the files, or import their content; return 0 on success."""
    parser = argparse.ArgumentParser(prog="python -m devstack.views", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("write", help="write the files of docs/views")
    importing = commands.add_parser("import", help="import the views into a running product")
    importing.add_argument("url", help="the address of the product, as http(s)://[user:password@]host:port[/path]")
    importing.add_argument("--index", default=DEFAULT_INDEX, help="the index pattern of the loaded events")
    arguments = parser.parse_args()
    if arguments.command == "write":
        write(FOLDER)
        return 0
    try:
        product, count = import_views(arguments.url, IndexPattern(arguments.index))
    except (ImportingError, LoaderError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f'{product.name} imported {count} objects: open the dashboard "CloudTrail".')
    return 0


def write(folder: Path) -> None:
    """Write each product's file, for the default index pattern."""
    for product in PRODUCTS:
        (folder / product.file).write_bytes(ndjson(product, IndexPattern(DEFAULT_INDEX)))


if __name__ == "__main__":
    sys.exit(main())
