"""The open objects as one text each, for rules that search in all parameters of a call at once.

The text has the notation of Elastic's integration, because its rules search for parts of this notation:
``{userName=ada, tags=[{key=team, value=red}]}``. Members have the event's order, under every strategy. The text is
only indexed: the server does not store it (ADR-0028).

https://docs.oracle.com/en/java/javase/21/docs/api/java.base/java/util/AbstractMap.html#toString()
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import zip_longest
from typing import Any, Final

from cloudtrail_elasticsearch.core.documents.declared_fields import OPEN_OBJECTS
from cloudtrail_elasticsearch.core.documents.unindexed import MAX_CHARACTERS
from cloudtrail_elasticsearch.core.encoding.codec import Json, Verbatim

TEXTS: Final = "texts"
"""The object of a document that has the texts, by the name of the open object."""


def make_texts(event: Mapping[str, Any]) -> dict[str, str]:
    """Return the texts of the open objects of an event, which must not have values that a rule removes."""
    texts: dict[str, str] = {}
    for name in OPEN_OBJECTS:
        value = event.get(name)
        if value is not None and value != {}:
            # No server takes a lone surrogate.
            texts[name] = render(value)[:MAX_CHARACTERS].encode("utf-8", "replace").decode()
    return texts


def sort_members(value: Json, model: Json) -> Json:
    """Return the value, with the members of its objects in the order of the model's members."""
    if isinstance(value, dict) and isinstance(model, dict):
        names = dict.fromkeys((*(name for name in model if name in value), *value))
        return {name: sort_members(value[name], model.get(name)) for name in names}
    if isinstance(value, list) and isinstance(model, list):
        return [sort_members(*pair) for pair in zip_longest(value, model[: len(value)])]
    return value


def render(value: Json) -> str:
    """Return a value in the notation of Java's collections."""
    if isinstance(value, str):
        return value
    if isinstance(value, dict):
        return f"{{{', '.join([f'{name}={render(child)}' for name, child in value.items()])}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(render, value))}]"
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    return value.text if isinstance(value, Verbatim) else str(value)
