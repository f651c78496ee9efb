"""An Elasticsearch with security: it authenticates users and makes API keys."""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import shutil
import subprocess
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from devstack.java import java_home
from devstack.processes import ServiceError
from devstack.search_server.distributions import Distribution
from devstack.search_server.fetch import DownloadError

_COMPILER: Final = ("org.eclipse.jdt", "ecj", "3.42.0")
_SOURCE: Final = Path(__file__).with_name("EmailAnalysisPlugin.java")


def require_users(config: Path, passwords: Mapping[str, str]) -> None:
    """Define these users in the server's file realm; each of them may do everything.

    https://www.elastic.co/docs/deploy-manage/users-roles/cluster-or-deployment-auth/file-based
    """
    file = config / "elasticsearch.yml"
    settings = json.loads(file.read_text()) | {
        "xpack.security.enabled": True,
        "xpack.security.autoconfiguration.enabled": False,
    }
    file.write_text(json.dumps(settings, indent=2))
    lines = [f"{user}:{_hashed(password)}" for user, password in passwords.items()]
    (config / "users").write_text("\n".join(lines))
    (config / "users_roles").write_text(f"superuser:{','.join(passwords)}")


def with_security_index(distribution: Distribution, home: Path, folder: Path) -> Path:
    """Return a copy of a server that can create the index of its API keys.

    The archive lacks the module with the analysis that this index needs. A small plugin of ours provides it. The
    plugin is compiled here against the server's own libraries, with a compiler from Maven: a Java runtime has
    none.

    :raises ServiceError: it cannot be compiled
    """
    copy = folder / "home"
    if not copy.is_dir():
        shutil.copytree(home, copy)
        plugin = copy / "plugins" / "email-analysis"
        plugin.mkdir(parents=True)
        descriptor = {
            "name": "email-analysis",
            "description": "What the security index asks for",
            "version": "1",
            "classname": "devstack.EmailAnalysisPlugin",
            "java.version": str(distribution.java.start),
            "elasticsearch.version": distribution.version,
        }
        lines = [f"{name}={value}\n" for name, value in descriptor.items()]
        (plugin / "plugin-descriptor.properties").write_text("".join(lines))
        _compile(distribution, home, folder / "classes", plugin / "email-analysis.jar")
    return copy


def _compile(distribution: Distribution, home: Path, classes: Path, jar: Path) -> None:
    java = java_home(distribution.java) / "bin" / "java"
    libraries = ":".join(str(library) for library in (home / "lib").glob("*.jar"))
    release = str(distribution.java.start)
    options = ["--release", release, "-cp", libraries, "-d", str(classes)]
    command = [str(java), "-jar", str(_compiler()), *options, str(_SOURCE)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise ServiceError(f"{_SOURCE.name} cannot be compiled: {(done.stdout + done.stderr)[-2000:]}")
    with zipfile.ZipFile(jar, "w") as archive:
        for file in classes.rglob("*.class"):
            archive.write(file, file.relative_to(classes))


def _compiler() -> Path:
    """Return the jar of Eclipse's compiler, from Maven Central."""
    from jgo.maven import MavenContext

    group, name, version = _COMPILER
    try:
        return MavenContext().project(group, name).at_version(version).artifact().resolve()
    except (OSError, RuntimeError) as error:
        raise DownloadError(f"{name} {version} could not be downloaded from Maven Central: {error}") from error


def _hashed(password: str, cost: int = 10_000) -> str:
    salt = secrets.token_bytes(32)
    found = hashlib.pbkdf2_hmac("sha512", password.encode(), salt, cost, 32)
    return f"{{PBKDF2}}{cost}${base64.b64encode(salt).decode()}${base64.b64encode(found).decode()}"
