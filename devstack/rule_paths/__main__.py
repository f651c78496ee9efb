"""The command line: ``python -m devstack.rule_paths FOLDER…``."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import cloudtrail_elasticsearch
from cloudtrail_elasticsearch.core.documents.catalogue import catalogue
from cloudtrail_elasticsearch.core.documents.declared_fields import DETECTIONS, OPEN_OBJECTS, likely_fields
from cloudtrail_elasticsearch.core.documents.ecs_names import ALIASES, COPIES, SECURITY_ANALYTICS
from devstack.rule_paths.choose import choose_paths, write
from devstack.rule_paths.names import read_members, read_scalars

FILE = Path(cloudtrail_elasticsearch.__file__).parent / "rules" / DETECTIONS


def main() -> int:
    """Write the list; return 0 on success."""
    parser = argparse.ArgumentParser(prog="python -m devstack.rule_paths", description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path, metavar="FOLDER")
    folders = parser.parse_args().folders
    files = [file for folder in folders for file in sorted(folder.rglob("*")) if file.is_file()]
    scalars = {path for file in files for path in read_scalars(file)}
    members = {path for folder in folders for path in read_members(folder)}
    if not scalars | members:
        print("No rule in these folders reads a path of the open objects: nothing is written.", file=sys.stderr)
        return 1
    # Rules read these by other names.
    copied = (path for paths in COPIES.values() for path in paths)
    named = (*ALIASES.values(), *SECURITY_ANALYTICS.values(), *copied)
    scalars |= {path for path in named if path.partition(".")[0] in OPEN_OBJECTS}
    FILE.write_text(write(choose_paths(scalars, members, catalogue(), likely_fields())))
    return 0


if __name__ == "__main__":
    sys.exit(main())
