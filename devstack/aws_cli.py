"""aws-cli in an environment of its own, because it requires other versions than the project.

It is installed from requirements-awscli.lock when it is first needed, and again when that file changes.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Final

from filelock import FileLock

from devstack.processes import ROOT

_LOCK_FILE: Final = ROOT / "requirements-awscli.lock"
_FOLDER: Final = ROOT / ".venv-awscli"


def install_aws_cli() -> Path:
    """Return the path of the command ``aws``. Several processes may call this at once.

    :raises subprocess.CalledProcessError: the packages cannot be installed
    """
    wanted = _LOCK_FILE.read_bytes()
    installed = _FOLDER / "installed"
    with FileLock(f"{_FOLDER}.lock"):
        if not installed.exists() or installed.read_bytes() != wanted:
            _uv("venv", "--quiet", "--clear", "--python", sys.executable, str(_FOLDER))
            options = ("--quiet", "--python", str(_FOLDER), "--require-hashes", "-r", str(_LOCK_FILE))
            _uv("pip", "install", *options)
            installed.write_bytes(wanted)
    return _FOLDER / "bin" / "aws"


def _uv(*arguments: str) -> None:
    subprocess.run([Path(sys.executable).parent / "uv", *arguments], check=True)
