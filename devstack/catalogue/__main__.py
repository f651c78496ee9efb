"""The command line: ``python -m devstack.catalogue``, and ``python -m devstack.catalogue learn FILE…``."""

from __future__ import annotations

import argparse
from pathlib import Path

import cloudtrail_elasticsearch
from cloudtrail_elasticsearch.core.documents.catalogue import catalogue
from cloudtrail_elasticsearch.sources.files import read_lines
from devstack.catalogue import learned, made

RULES = Path(cloudtrail_elasticsearch.__file__).parent / "rules"


def main() -> None:
    """Write the package's data."""
    parser = argparse.ArgumentParser(prog="python -m devstack.catalogue", description=__doc__)
    commands = parser.add_subparsers(dest="command")
    learning = commands.add_parser("learn", help="add the kinds of recorded events to recorded.txt")
    learning.add_argument("files", nargs="+", metavar="FILE")
    arguments = parser.parse_args()
    if arguments.command == "learn":
        learn(arguments.files)
    else:
        for name, content in made.make_files((RULES / learned.FILE).read_text()).items():
            (RULES / name).write_bytes(content)


def learn(files: list[str]) -> None:
    """Merge the kinds in the events of these files into ``recorded.txt``."""
    file = RULES / learned.FILE
    known = learned.read(file.read_text()) if file.exists() else {}
    for path, kinds in learned.learn(read_lines(files), catalogue()).items():
        known.setdefault(path, set()).update(kinds)
    file.write_text(learned.write(known))


if __name__ == "__main__":
    main()
