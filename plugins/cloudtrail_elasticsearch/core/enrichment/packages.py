"""The packages that only enrichment needs: an installation without them lacks nothing else."""

from __future__ import annotations

from importlib.util import find_spec

from cloudtrail_elasticsearch.core.errors import EnrichmentError


def require_package(module: str, needed_for: str) -> None:
    """Check that a package is installed.

    :param needed_for: what needs it, for the error
    :raises EnrichmentError: it is not
    """
    if find_spec(module) is None:
        raise EnrichmentError(
            f"The Python package of {module} is not installed, which {needed_for} needs: install "
            f"cloudtrail-elasticsearch[enrichment] or its packages maxminddb and ua-parser on every worker."
        )
