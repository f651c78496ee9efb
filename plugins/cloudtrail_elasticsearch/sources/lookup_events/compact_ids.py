"""Event ids in a compact form: a fetch holds the ids of whole slices in memory to recognise repeated events."""

from __future__ import annotations

import re
from typing import Final

CompactId = int | str

# Lower case only: an upper-case spelling would get the same number, but is another id.
_is_lower_uuid: Final = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}").fullmatch


def compact_id(event_id: str) -> CompactId:
    """Return a lower-case UUID as an integer, and any other id unchanged; different ids stay different."""
    return int(event_id.replace("-", ""), 16) if _is_lower_uuid(event_id) else event_id
