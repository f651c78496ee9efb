"""Where the pages are, below Airflow's own address."""

from __future__ import annotations

from typing import Final

from cloudtrail_elasticsearch.airflows import base_path

PREFIX: Final = "/cloudtrail"


def path(page: str) -> str:
    """Return the path of a page, or of a file of the pages'."""
    return f"{base_path()}{PREFIX}/{page}"
