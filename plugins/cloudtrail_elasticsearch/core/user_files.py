"""Files that a user names: the folder they must be in, and the largest size of rules and fields files.

No message here quotes a file's content. A user who may only set an Airflow variable can name any path. So the path
is confined to a folder before the file system is accessed.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from cloudtrail_elasticsearch.core.errors import ConfigurationError, RulesError

LARGEST_FILE: Final = 1024 * 1024
"""The largest size of a file, in bytes."""


def confine_file(
    name: str, folder: Path, named_by: str, remedy: str, kind: type[ConfigurationError] = RulesError
) -> Path:
    """Return the real path of a file below a folder; a relative name is relative to the folder.

    A name outside the folder is rejected before the file system is accessed, so the error does not reveal which
    files exist.

    :param named_by: the param or variable that names the file, for the error
    :param remedy: how to set the folder, for the error
    :param kind: the class of the error
    :raises ConfigurationError: the name, or a symbolic link, points outside the folder
    """
    try:
        found = _find_in_folder(name, folder.absolute())
    except (OSError, ValueError, RuntimeError):  # a null character, a name that is too long, a loop of links
        found = None
    if found is None:
        raise kind(f"{named_by} is {name[:200]!r}, which is not below the folder {folder}. {remedy}")
    return found


def _find_in_folder(name: str, folder: Path) -> Path | None:
    real = folder.resolve()
    written = Path(os.path.normpath(folder / name))  # without the file system: `..` is resolved as text
    # The folder itself can be a symbolic link.
    if not (written.is_relative_to(folder) or written.is_relative_to(real)):
        return None
    # Now with the file system, because a symbolic link below the folder can lead out of it.
    found = (folder / name).resolve()
    return found if found.is_relative_to(real) else None


def read_user_file(file: Path, kind: str) -> bytes:
    """Return a regular file's content.

    :param kind: ``rules`` or ``fields``, for the error
    :raises RulesError: the file cannot be read, is a device, a pipe or a folder, or is larger than `LARGEST_FILE`
    """
    try:
        content = _read_regular(file)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "its name is not valid"
        raise RulesError(f"The {kind} file {show_path(file)} cannot be read: {reason}.") from error
    if content is None:
        raise RulesError(f"The {kind} file {show_path(file)} cannot be read: it is not a regular file.")
    if len(content) > LARGEST_FILE:
        raise RulesError(f"The {kind} file {show_path(file)} has more than {LARGEST_FILE} bytes. Shorten it.")
    return content


def show_path(file: Path) -> str:
    """Return a path for a message: at most 300 characters, with control characters escaped."""
    text = str(file)[:300]
    return text if text.isprintable() else ascii(text)


def _read_regular(file: Path) -> bytes | None:
    with open(file, "rb", opener=_open_without_blocking) as opened:
        # The opened file is checked, because its name can mean another file by now.
        if not stat.S_ISREG(os.fstat(opened.fileno()).st_mode):
            return None
        # One byte more than allowed shows that the file is too large.
        return opened.read(LARGEST_FILE + 1)


def _open_without_blocking(path: str, flags: int) -> int:
    """Open a file without blocking, even if it is a pipe without a writer."""
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)
