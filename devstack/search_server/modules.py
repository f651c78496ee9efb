"""Make a server start on a Java runtime that lacks modules which the server names but does not use."""

from __future__ import annotations

import struct
import zipfile
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

_STATIC: Final = 0x0040
"""The flag of a module that is required only at compile time."""

_TEXT, _WIDE, _MODULE = 1, (5, 6), 19
_CONSTANT_SIZES: Final = {
    **dict.fromkeys((7, 8, 16, _MODULE, 20), 2),
    15: 3,
    **dict.fromkeys((3, 4, 9, 10, 11, 12, 17, 18), 4),
    **dict.fromkeys(_WIDE, 8),
}
"""The bytes of a constant after its tag, by the tag.

https://docs.oracle.com/javase/specs/jvms/se21/html/jvms-4.html#jvms-4.4
"""


def make_modules_optional(jar: Path, modules: Collection[str]) -> None:
    """Rewrite a jar's module declaration: it then no longer requires these modules when the server starts."""
    with zipfile.ZipFile(jar) as archive:
        files = {each: archive.read(each) for each in archive.infolist()}
    with zipfile.ZipFile(jar, "w") as archive:
        for each, content in files.items():
            is_declaration = each.filename == "module-info.class"
            archive.writestr(each, make_requirements_optional(content, modules) if is_declaration else content)


def make_requirements_optional(declaration: bytes, modules: Collection[str]) -> bytes:
    """Return a compiled module declaration in which these modules are required only at compile time.

    https://docs.oracle.com/javase/specs/jvms/se21/html/jvms-4.html#jvms-4.7.25
    """
    texts: dict[int, str] = {}
    names: dict[int, int] = {}
    position, count = 10, struct.unpack_from(">H", declaration, 8)[0]
    index = 1
    while index < count:
        tag = declaration[position]
        if tag == _TEXT:
            (length,) = struct.unpack_from(">H", declaration, position + 1)
            texts[index] = declaration[position + 3 : position + 3 + length].decode()
            position += 3 + length
        else:
            if tag == _MODULE:
                (names[index],) = struct.unpack_from(">H", declaration, position + 1)
            position += 1 + _CONSTANT_SIZES[tag]
        # A number of eight bytes takes two places.
        index += 2 if tag in _WIDE else 1
    changed = bytearray(declaration)
    for place in _find_requirements(declaration, position, texts):
        required, flags = struct.unpack_from(">HH", declaration, place)
        if texts[names[required]] in modules:
            struct.pack_into(">H", changed, place + 2, flags | _STATIC)
    return bytes(changed)


def _find_requirements(declaration: bytes, position: int, texts: dict[int, str]) -> Iterator[int]:
    """Yield the position of each required module.

    :param position: the end of the constants; a module declaration has no fields and no methods
    """
    (attributes,) = struct.unpack_from(">H", declaration, position + 12)
    position += 14
    for _ in range(attributes):
        name, length = struct.unpack_from(">HI", declaration, position)
        position += 6
        if texts[name] == "Module":
            (requirements,) = struct.unpack_from(">H", declaration, position + 6)
            yield from (position + 8 + 6 * number for number in range(requirements))
        position += length
