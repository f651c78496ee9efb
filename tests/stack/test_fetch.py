"""Download server archives from a local Maven repository."""

from __future__ import annotations

import hashlib
import http.server
import io
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from devstack.processes import ROOT
from devstack.search_server import DISTRIBUTIONS, Distribution, DownloadError, fetch
from devstack.search_server.fetch import cache_folder


def make_archive() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name in ("bin/opensearch", "config/jvm.options", "modules/analysis-common/x.jar", "modules/geo/x.jar"):
            archive.writestr(f"opensearch-1.2.3/{name}", name)
    return content.getvalue()


ARCHIVE = make_archive()
DISTRIBUTION = Distribution("opensearch", "1.2.3", hashlib.sha512(ARCHIVE).hexdigest(), range(21, 26))
FILE = "/org/opensearch/distribution/integ-test-zip/opensearch/1.2.3/opensearch-1.2.3.zip"


@dataclass
class Repository:
    """A Maven repository with one file, and the requests to it."""

    files: dict[str, bytes] = field(default_factory=lambda: {FILE: ARCHIVE})
    asked: list[str] = field(default_factory=list)
    url: str = ""

    @property
    def as_setting(self) -> dict[str, str]:
        return {"here": self.url}


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return cache_folder()


@pytest.fixture
def repository() -> Iterator[Repository]:
    served = Repository()

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.asked.append(self.path)
            body = served.files.get(self.path)
            self.send_response(404 if body is None else 200)
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_: object) -> None:
            """Stay silent."""

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        served.url = f"http://127.0.0.1:{server.server_address[1]}"
        yield served
        server.shutdown()


def test_an_archive_is_downloaded_unpacked_and_adjusted(cache: Path, repository: Repository) -> None:
    """The module that a trimmed Java cannot run is removed, scripts are executable, no other file is left."""
    home = fetch(DISTRIBUTION, repository.as_setting)
    assert home == cache / "opensearch-1.2.3"
    assert (home / "bin" / "opensearch").stat().st_mode & 0o111
    assert [module.name for module in (home / "modules").iterdir()] == ["geo"]
    assert {path.name for path in cache.iterdir()} == {"opensearch-1.2.3", "opensearch-1.2.3.lock"}


def test_a_cached_server_is_not_downloaded_again(cache: Path, repository: Repository) -> None:
    """The second call sends no request."""
    first = fetch(DISTRIBUTION, repository.as_setting)
    repository.asked.clear()
    assert fetch(DISTRIBUTION, repository.as_setting) == first
    assert repository.asked == []


def test_another_archive_than_the_expected_one_is_refused_and_deleted(cache: Path, repository: Repository) -> None:
    """A wrong checksum is said in a sentence, and the right archive is taken the next time."""
    with pytest.raises(DownloadError, match="is not the expected one and was deleted: its SHA-512 is"):
        fetch(replace(DISTRIBUTION, sha512="0" * 128), repository.as_setting)
    assert [path.name for path in cache.iterdir()] == ["opensearch-1.2.3.lock"]
    assert fetch(DISTRIBUTION, repository.as_setting).is_dir()


def test_a_truncated_archive_is_rejected(cache: Path, repository: Repository) -> None:
    """A broken connection leaves no folder that looks like a server."""
    repository.files[FILE] = ARCHIVE[:-10]
    with pytest.raises(DownloadError, match="SHA-512"):
        fetch(DISTRIBUTION, repository.as_setting)
    assert not (cache / "opensearch-1.2.3").exists()


def test_a_missing_archive_is_a_clear_error(cache: Path, repository: Repository) -> None:
    """The error names the archive and the repository."""
    repository.files.clear()
    with pytest.raises(
        DownloadError, match=r"opensearch-1\.2\.3 could not be downloaded from Maven Central: .*not found"
    ):
        fetch(DISTRIBUTION, repository.as_setting)


def test_an_unreachable_repository_is_a_clear_error(cache: Path) -> None:
    """Being offline is reported."""
    with pytest.raises(DownloadError, match="could not be downloaded"):
        fetch(DISTRIBUTION, {"nowhere": "http://127.0.0.1:1"})


def test_the_rest_of_a_killed_download_is_removed(cache: Path, repository: Repository) -> None:
    """Partial downloads do not accumulate."""
    (cache / ".opensearch-1.2.3-left" / "maven").mkdir(parents=True)
    fetch(DISTRIBUTION, repository.as_setting)
    assert not (cache / ".opensearch-1.2.3-left").exists()


def test_simultaneous_processes_share_one_download(cache: Path, repository: Repository) -> None:
    """All get a complete server, and the archive is requested once."""
    code = (
        "from devstack.search_server import Distribution, fetch\n"
        f"home = fetch({DISTRIBUTION!r}, {repository.as_setting!r})\n"
        "assert (home / 'bin' / 'opensearch').exists()\n"
    )
    together = [subprocess.Popen([sys.executable, "-c", code], cwd=ROOT) for _ in range(4)]
    assert [process.wait() for process in together] == [0, 0, 0, 0]
    assert repository.asked.count(FILE) == 1


def test_every_distribution_has_a_checksum_of_its_own() -> None:
    """With a copied line the wrong archive would be accepted."""
    checksums = {distribution.sha512 for distribution in DISTRIBUTIONS.values()}
    assert len(checksums) == len(DISTRIBUTIONS) == 4
    assert {len(bytes.fromhex(checksum)) for checksum in checksums} == {64}
