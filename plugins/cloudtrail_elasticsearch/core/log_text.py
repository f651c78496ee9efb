"""Makes text from servers and events safe for one line of a log or an error message."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

MOST_CHARACTERS: Final = 2_000
HIDDEN: Final = "[redacted]"

_UNSAFE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
"""Controls (C0, C1), line and paragraph separators, marks that change the direction of text, lone surrogates.

https://www.unicode.org/reports/tr9/#Directional_Formatting_Characters
"""

_VALUE: Final = r"[^\s\"',;&}\])]+"
_QUOTE: Final = r"\\?[\"']?"
_CREDENTIALS: Final = (
    (
        re.compile(rf"(?i)\b((?:proxy-)?authorization{_QUOTE}\s*[:=]\s*\[?{_QUOTE})[^\"'\\\r\n}}\]]+"),
        rf"\1{HIDDEN}",
    ),
    (re.compile(r"(?i)\b(basic|bearer|apikey)\s+[A-Za-z0-9+/=_.~:-]{6,}"), rf"\1 {HIDDEN}"),
    (re.compile(r"(?i)\bAWS4-HMAC-SHA256[^\"'\\\r\n}]*"), HIDDEN),
    (
        re.compile(
            r"(?i)\b(x-amz-[a-z-]*(?:token|signature|credential)|(?:session|security)[-_]?token|signature|credential"
            rf"|set-cookie|cookie|password|api[-_]?key)({_QUOTE}\s*[:=]\s*{_QUOTE}){_VALUE}"
        ),
        rf"\1\2{HIDDEN}",
    ),
    (re.compile(r"://[^/\s@]+@"), f"://{HIDDEN}@"),
)


def escape_controls(text: str) -> str:
    """Return the text with every character escaped that can end, recolour or reorder a line."""
    return _UNSAFE.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


def redact(text: str, secrets: Iterable[str] = ()) -> str:
    """Return the text without these secrets, and without anything that looks like a credential."""
    # First, because a pattern could replace a part of a secret, and the rest would stay.
    for secret in secrets:
        text = text.replace(secret, HIDDEN)
    for pattern, replacement in _CREDENTIALS:
        text = pattern.sub(replacement, text)
    return text


def safe_text(text: object, most: int = MOST_CHARACTERS) -> str:
    """Return a text that is safe in a log: redacted, escaped and cut to a length."""
    plain = str(text)
    # Cut before, too, so that the expressions never search megabytes.
    safe = escape_controls(redact(plain[: 2 * most]))
    return safe if len(safe) <= most else f"{safe[:most]}…"
