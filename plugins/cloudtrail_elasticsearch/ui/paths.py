"""The paths of the pages below Airflow's own address."""

from __future__ import annotations

from typing import Final

from cloudtrail_elasticsearch.airflows import find_base_path

PREFIX: Final = "/cloudtrail"


def path(page: str) -> str:
    """Return the path of a page or of a static file."""
    return f"{find_base_path()}{PREFIX}/{page}"
