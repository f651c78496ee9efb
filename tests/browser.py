"""The browser of the tests of pages."""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator

from playwright.sync_api import Browser, expect, sync_playwright


@contextlib.contextmanager
def open_browser() -> Iterator[Browser]:
    """Start Chromium, and end it with the block."""
    found = shutil.which("chromium") or shutil.which("chromium-browser")
    assert found, "the browser's tests need Chromium: apt-get install chromium"
    expect.set_options(timeout=30_000)
    with sync_playwright() as playwright:
        launched = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield launched
        launched.close()
