"""S3, STS and EC2's DescribeRegions from moto's server, as a process: ``python -m devstack.aws``.

moto holds every object in memory (up to 5 MB of it; what is larger goes to a temporary file): its process grows
with what is staged. With a journal, what S3 holds is there again after a restart. S3 can be made to fail, see
`storage_faults`.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from devstack.processes import Child, folder_or_temporary, module
from devstack.storage_faults import CONTROL, StorageFaultKind, StorageFaults

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication


class AwsServices:
    """The services on 127.0.0.1: a context manager that yields itself when they answer.

    :param state: a folder that keeps the buckets over restarts; None for buckets that go with the process
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
        """End it at once, as ``kill -9`` does."""
        self.process.kill()

    def break_storage(self, kind: StorageFaultKind, bucket: str | None = None) -> None:
        """Have S3 answer with errors, for one bucket or for all, until `mend_storage`."""
        self._control("POST", {"kind": kind, "bucket": bucket})

    def storage_faults(self) -> list[dict[str, Any]]:
        """Return S3's faults that are on, with how many requests each has answered."""
        return self._control("GET")

    def mend_storage(self) -> None:
        """Have S3 answer as it should."""
        self._control("DELETE")

    def _control(self, method: str, body: object = None) -> list[dict[str, Any]]:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(f"{self.endpoint_url}{CONTROL}", data, method=method)
        with urllib.request.urlopen(request, timeout=30) as answer:
            return list(json.load(answer))


def main() -> None:
    """Serve until a signal ends it; the URL is printed when it listens."""
    parser = argparse.ArgumentParser(prog="python -m devstack.aws", description=__doc__)
    parser.add_argument("--port", type=int, default=0, help="0, the default, for any free one")
    parser.add_argument("--journal", type=Path, help="a file that keeps what S3 holds over restarts")
    arguments = parser.parse_args()
    _serve(arguments.port, arguments.journal)


def _serve(port: int, journal: Path | None) -> None:
    from moto.moto_server.werkzeug_app import MotoRequestHandler
    from werkzeug.serving import make_server

    server = make_server(
        "127.0.0.1", port, _application(journal), threaded=True, request_handler=MotoRequestHandler
    )
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    server.serve_forever()


def _application(journal: Path | None) -> WSGIApplication:
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app

    from devstack.journal import Journal

    _open_default_regions()
    application: WSGIApplication = DomainDispatcherApplication(create_backend_app)
    if journal is None:
        return StorageFaults(application)
    kept = Journal(application, journal)
    kept.replay()
    return StorageFaults(kept)


def _open_default_regions() -> None:
    """Make DescribeRegions tell what AWS tells a new account; moto's list has those of all partitions."""
    from moto.ec2.models.availability_zones_and_regions import RegionsAndZonesBackend

    from devstack.simulator.regions import REGIONS

    known = RegionsAndZonesBackend.regions
    RegionsAndZonesBackend.regions = [region for region in known if region.name in REGIONS]


if __name__ == "__main__":
    main()
