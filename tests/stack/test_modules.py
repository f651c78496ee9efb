"""Change the module declarations of a server's libraries."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path

from devstack.search_server.modules import make_modules_optional, make_requirements_optional

STATIC = 0x0040


def text(value: str) -> bytes:
    return b"\x01" + struct.pack(">H", len(value)) + value.encode()


def declare(*required: str) -> bytes:
    """Return the compiled declaration of a module that requires others, with constants of all sizes before it."""
    # Of eight bytes: it takes the places 1 and 2.
    constants = [b"\x05" + bytes(8), text("Module"), text("module-info"), b"\x07\x00\x04", text("one")]
    constants += [b"\x13\x00\x06", text("one/api"), b"\x14\x00\x08"]
    entries, index = b"", 10
    for name in required:
        constants += [text(name), b"\x13" + struct.pack(">H", index)]
        entries += struct.pack(">HHH", index + 1, 0, 0)
        index += 2
    module = struct.pack(">HHHH", 7, 0, 0, len(required)) + entries + bytes(8)
    other = struct.pack(">HI", 4, 3) + b"abc"
    return (
        b"\xca\xfe\xba\xbe\x00\x00\x00\x41"
        + struct.pack(">H", index)
        + b"".join(constants)
        + struct.pack(">HHHHHH", 0x8000, 5, 0, 0, 0, 0)
        + struct.pack(">H", 2)
        + other
        + struct.pack(">HI", 3, len(module))
        + module
    )


def read_flags(declaration: bytes, count: int) -> list[int]:
    """Return the flags of each required module; the declarations end with eight bytes of other tables."""
    start = len(declaration) - 8 - 6 * count
    return [struct.unpack_from(">H", declaration, start + 6 * number + 2)[0] for number in range(count)]


def test_only_the_named_modules_become_optional() -> None:
    """All other bytes stay as they are."""
    before = declare("java.base", "jdk.jdi", "jdk.net")
    after = make_requirements_optional(before, {"jdk.jdi", "jdk.jlink"})
    assert read_flags(before, 3) == [0, 0, 0]
    assert read_flags(after, 3) == [0, STATIC, 0]
    assert sum(one != other for one, other in zip(before, after, strict=True)) == 1


def test_the_other_files_of_a_jar_stay_as_they_are(tmp_path: Path) -> None:
    """Only the declaration in its root is changed."""
    jar = tmp_path / "one.jar"
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("module-info.class", declare("jdk.jdi"))
        archive.writestr("one/Main.class", b"class")
    jar.write_bytes(content.getvalue())
    make_modules_optional(jar, ["jdk.jdi"])
    with zipfile.ZipFile(jar) as archive:
        assert archive.namelist() == ["module-info.class", "one/Main.class"]
        assert read_flags(archive.read("module-info.class"), 1) == [STATIC]
        assert archive.read("one/Main.class") == b"class"
