"""Where the pages are, below Airflow's own address."""

from __future__ import annotations

from typing import Final
from urllib.parse import urlsplit

from airflow.providers.common.compat.sdk import conf

PREFIX: Final = "/cloudtrail"


def path(page: str) -> str:
    """Return the path of a page, or of a file of the pages'."""
    base = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")
    return f"{base}{PREFIX}/{page}"
