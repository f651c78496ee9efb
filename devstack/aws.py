"""Serve S3, STS and EC2's DescribeRegions with moto's server, as a process: ``python -m devstack.aws``.

moto keeps every object in memory, up to 5 MB of it; larger objects go to a temporary file. So the process grows
with the staged objects. With a journal, S3 has its objects again after a restart. `storage_faults` makes S3 fail.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import urllib.request
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from devstack.processes import Child, folder_or_temporary, module
from devstack.storage_faults import CONTROL, StorageFaultKind, StorageFaults

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class AwsServices:
    """The services on 127.0.0.1: a context manager that yields itself when they answer.

    :param state: a folder that keeps the buckets over restarts; None to drop the buckets with the process
    """

    def __init__(self, state: Path | None = None) -> None:
        self._state = state

    def __enter__(self) -> Self:
        with contextlib.ExitStack() as stack:
            folder = stack.enter_context(folder_or_temporary(self._state))
            journal = ["--journal", str(folder / "s3.journal")] if self._state else []
            temporary = None if self._state else folder
            self.process = Child("moto", module("devstack.aws", *journal), folder / "aws.log", temporary=temporary)
            stack.callback(self.process.stop)
            self.endpoint_url = self.process.announced_url()
            self._leave = stack.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._leave.close()

    def kill(self) -> None:
        """Kill the process at once, like ``kill -9``."""
        self.process.kill()

    def break_storage(
        self, kind: StorageFaultKind, bucket: str | None = None, *, prefix: str = "", count: int | None = None
    ) -> None:
        """Make S3 fail, for one bucket or for all, until `mend_storage` or for `count` requests.

        :param prefix: only requests for objects whose keys begin with it fail
        """
        self._control("POST", {"kind": kind, "bucket": bucket, "prefix": prefix, "count": count})

    def storage_faults(self) -> list[dict[str, Any]]:
        """Return the active faults of S3, each with the number of requests it has answered."""
        return self._control("GET")

    def mend_storage(self) -> None:
        """Make S3 answer normally again."""
        self._control("DELETE")

    def _control(self, method: str, body: object = None) -> list[dict[str, Any]]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.endpoint_url}{CONTROL}", data, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return list(json.load(answer))


def main() -> None:
    """Serve until a signal ends the process. The URL is printed when it listens."""
    parser = argparse.ArgumentParser(prog="python -m devstack.aws", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0, the default, for any free one")
    parser.add_argument("--journal", type=Path, help="a file that keeps the objects of S3 over restarts")
    arguments = parser.parse_args()
    _serve(arguments.port, arguments.journal)


def _serve(port: int, journal: Path | None) -> None:
    from moto.moto_server.werkzeug_app import MotoRequestHandler
    from werkzeug.serving import make_server

    class QuietHandler(MotoRequestHandler):
        """Logs errors, but no line for each request."""

        def log_request(self, *_: object) -> None:
            """Log nothing."""

    server = make_server("127.0.0.1", port, _application(journal), threaded=True, request_handler=QuietHandler)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


def _application(journal: Path | None) -> WSGIApplication:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    from devstack.bulk_objects import BulkObjects
    from devstack.journal import Journal

    class Dispatcher(DomainDispatcherApplication):
        """Finds the service of each host name once; moto lists its own folder for every request."""

        @cache  # noqa: B019 - the only instance lives as long as the process
        def get_backend_for_host(self, host: str | None) -> Any:
            """Return the service of a host name."""
            return super().get_backend_for_host(host)

    _open_default_regions()
    application: WSGIApplication = BulkObjects(Dispatcher(create_backend_app))
    if journal is None:
        return StorageFaults(application)
    kept = Journal(application, journal)
    kept.replay()
    return StorageFaults(kept)


def _open_default_regions() -> None:
    """Make DescribeRegions answer as AWS does for a new account; moto lists the regions of all partitions."""
    from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend

    from devstack.simulator.regions import REGIONS

    known = RegionsAndZonesBackend.regions
    RegionsAndZonesBackend.regions = [region for region in known if region.name in REGIONS]


if __name__ == "__main__":
    main()
