"""The stand-in for S3 as a process: ``python -m devstack.fake_s3 FOLDER``. It prints its URL."""

from __future__ import annotations

import argparse
from pathlib import Path

from devstack.fake_s3.process import read_buckets
from devstack.fake_s3.server import FakeS3


def main() -> None:
    """Serve until a signal ends the process."""
    parser = argparse.ArgumentParser(prog="python -m devstack.fake_s3", description=__doc__)
    parser.add_argument("folder", type=Path, help="a folder with a folder for each bucket")
    parser.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    parser.add_argument("--port", type=int, default=0, help="0, the default, for any free one")
    options = parser.parse_args()
    s3 = FakeS3(read_buckets(options.folder), options.latency, options.port)
    print(s3.endpoint_url, flush=True)
    s3.serve()


if __name__ == "__main__":
    main()
