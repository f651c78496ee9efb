"""Regular expressions of rules, matched in linear time.

Python's own `re` backtracks: some expressions take hours on a text of fifty characters, and a thread cannot be
stopped while it matches. RE2 does not backtrack. https://github.com/google/re2/wiki/WhyRE2
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import re2

LONGEST_TEXT: Final = 8192
"""Characters of a text that are searched: the slowest allowed expression then takes under a second."""

LARGEST_PROGRAM: Final = 3000
"""Instructions in a compiled expression: the time for each character grows with their number."""


class PatternError(ValueError):
    """A text is not a regular expression of RE2. The message is only the reason."""


def matches(pattern: str, text: str) -> bool:
    """Return whether a regular expression matches anywhere in the first `LONGEST_TEXT` characters of a text.

    :raises PatternError: it is not a regular expression
    """
    # A lone surrogate has no UTF-8 and becomes a question mark.
    return compile_pattern(pattern).search(text[:LONGEST_TEXT].encode(errors="replace")) is not None


@lru_cache(maxsize=1024)
def compile_pattern(pattern: str) -> Any:
    """Return a regular expression, compiled.

    :raises PatternError: RE2 rejects it (RE2 has no look-around and no back-references), or it is too large
    """
    try:
        compiled = re2.compile(pattern.encode(), _quiet())
    except re2.error as error:
        raise PatternError(_reason(error)) from error
    except UnicodeEncodeError as error:
        raise PatternError("it has a lone surrogate") from error
    if compiled.programsize > LARGEST_PROGRAM:
        raise PatternError(f"it is too large: {compiled.programsize} instructions, {LARGEST_PROGRAM} are allowed")
    return compiled


def _quiet() -> Any:
    options = re2.Options()
    options.log_errors = False  # RE2 prints them to the process' standard error
    # Only whether a text matches is used, which RE2 finds out faster without groups.
    options.never_capture = True
    return options


def _reason(error: Exception) -> str:
    reason = error.args[0] if error.args else ""
    return reason.decode(errors="replace") if isinstance(reason, bytes) else str(reason)
