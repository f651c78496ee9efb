"""The number of examples that hypothesis generates."""

from __future__ import annotations

from typing import Final

from hypothesis import settings

_USUAL: Final = 100
"""The examples of a test that asks for no number, in the profile of the whole suite."""


def examples(count: int) -> int:
    """Return `count` scaled to the loaded profile: the profile ``fast`` makes a fifth of the examples."""
    profile: int = settings.default.max_examples if settings.default else _USUAL
    return max(1, count * profile // _USUAL)
