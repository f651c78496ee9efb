"""The form of the rules that leave whole events out of the index, and its checks.

Such a rule has ``do: leave-out`` and conditions under ``events``, which must all hold. A condition has one value
or several, of which one must match. ``*`` in a text stands for any characters, so a comparison takes time in
proportion to the text, whatever the file holds.
"""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator
from typing import Any, Final, Literal, TypeAlias

import msgspec
from msgspec import UNSET, UnsetType

from cloudtrail_elasticsearch.core.documents.own_events import OWN_EVENTS_RULE
from cloudtrail_elasticsearch.core.encoding import codec
from cloudtrail_elasticsearch.core.errors import RulesError
from cloudtrail_elasticsearch.core.nearest import find_nearest_name

LEAVE_OUT: Final = "leave-out"
WILDCARD: Final = "*"

MOST_RULES: Final = 200
"""The most rules of all files that leave events out: each is compared with every event."""

MOST_PATTERNS: Final = 1_000
"""The most paths, and texts with a `*`, of all these rules."""

LONGEST_PATTERN: Final = 1_000
"""The most characters of a text with a `*`."""

LONGEST_NAME: Final = 120
"""The most characters of a rule's name: pages and log lines show it."""

_ACCOUNT_DIGITS: Final = 12

Scalar: TypeAlias = str | bool | int | float | None
"""A value to compare with; None means that the path has no value."""

Texts: TypeAlias = str | tuple[str, ...] | UnsetType


# No default of None: a condition without a value (`caller:`) must be a mistake, or the rule would leave out more.
class Conditions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The conditions of a rule, of which all must hold."""

    source: Texts = UNSET
    """eventSource."""
    name: Texts = UNSET
    """eventName."""
    read_only: bool | UnsetType = UNSET
    """readOnly."""
    account: str | int | tuple[str | int, ...] | UnsetType = UNSET
    """The account that received the event."""
    caller: Texts = UNSET
    """The ARN of the user or role: userIdentity.arn, or the sessionIssuer's."""
    paths: dict[str, Scalar | tuple[Scalar, ...]] | UnsetType = UNSET
    """Values at other paths."""

    def list_values(self) -> Iterator[tuple[str, tuple[Scalar, ...]]]:
        """Yield each condition that is set and its values; a path is preceded by ``paths.``."""
        for name in self.__struct_fields__:
            value = getattr(self, name)
            if isinstance(value, dict):
                yield from ((f"paths.{path}", _as_tuple(values)) for path, values in value.items())
            elif value is not UNSET:
                yield name, _as_tuple(value)


class LeaveOutRule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A rule that leaves whole events out of the index; they stay staged, and are counted under its name."""

    why: str
    do: Literal["leave-out"]
    events: Conditions
    name: str = ""
    """In a file, it may be missing; then it is made from the conditions."""

    def __post_init__(self) -> None:
        if not self.name:
            msgspec.structs.force_setattr(self, "name", _make_name(self.events))


def describe_value(value: Scalar) -> str:
    """Return the text that stands for a value; a number or a boolean is its JSON text, as in a search."""
    return value if isinstance(value, str) else codec.encode(value).decode()


def is_leave_out(raw: Any) -> bool:
    """Whether a rule of a file, as YAML gives it, has the form of this module."""
    return isinstance(raw, dict) and "do" in raw


def find_unknown_name(raw: Any) -> str | None:
    """Return a sentence about a misspelt key or condition of a rule; None if all are known.

    It quotes the name, because a rule with ``do: leave-out`` proves that the file holds rules.
    """
    if raw.get("do") != LEAVE_OUT:
        return None
    mistake = _find_unknown(raw, LeaveOutRule.__struct_fields__, "key")
    events = raw.get("events")
    if mistake is None and isinstance(events, dict):
        mistake = _find_unknown(events, Conditions.__struct_fields__, "condition")
    return mistake


def _find_unknown(given: dict[Any, Any], known: Collection[str], what: str) -> str | None:
    for name in given:
        if name in known:
            continue
        shown = name if isinstance(name, str) and name.isprintable() else ""
        meant = find_nearest_name(shown, known) if shown else None
        hint = f" Did you mean {meant}?" if meant else ""
        return (
            f"{shown[:60]!r} is no {what} of a rule that leaves events out.{hint} It can have {', '.join(known)}"
        )
    return None


def _make_name(events: Conditions) -> str:
    # Sorted, so that the same conditions in another order get the same name.
    texts = [f"{name} {'|'.join(sorted(map(describe_value, values)))}" for name, values in events.list_values()]
    name = ", ".join(sorted(texts))
    if len(name) <= LONGEST_NAME:
        return name
    digest = hashlib.sha256(name.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{name[: LONGEST_NAME - 10]}… {digest}"


def check_rule(rule: LeaveOutRule, start: str) -> None:
    """Check a rule.

    :param start: the start of the error, with the names of file and rule
    :raises RulesError: it has no condition, or one that can match nothing
    """
    conditions = list(rule.events.list_values())
    if not conditions:
        raise RulesError(f"{start}: events names no condition, so it would leave out every event.")
    if len(rule.name) > LONGEST_NAME:
        raise RulesError(f"{start}: its name is longer than {LONGEST_NAME} characters.")
    if rule.name == OWN_EVENTS_RULE:
        raise RulesError(f"{start}: the loader counts its own calls under this name. Choose another one.")
    for name, values in conditions:
        _check_values(name, values, start)


def _check_values(name: str, values: tuple[Scalar, ...], start: str) -> None:
    if not values:
        raise RulesError(f"{start}: {name[:60]} has an empty list, so no event could match. Remove the rule.")
    if name.startswith("paths.") and not all(name.split(".")):
        raise RulesError(f"{start}: {name[:60]!r} has no list of names joined by dots.")
    if name.startswith("paths.lookup."):
        raise RulesError(f"{start}: conditions see the event, and not the fields that LookupEvents adds.")
    for value in values:
        text = describe_value(value)
        if WILDCARD in text and len(text) > LONGEST_PATTERN:
            raise RulesError(f"{start}: a pattern of {name[:60]} is longer than {LONGEST_PATTERN} characters.")
        if name == "account" and not _can_be_account(text):
            raise RulesError(
                f"{start}: an account is {text[:20]!r}. Write its {_ACCOUNT_DIGITS} digits in quotes; "
                f"{WILDCARD} stands for any digits."
            )


def _can_be_account(text: str) -> bool:
    digits = text.replace(WILDCARD, "")
    if not digits.isdecimal() and digits:
        return False
    return len(digits) <= _ACCOUNT_DIGITS if WILDCARD in text else len(digits) == _ACCOUNT_DIGITS


def check_number(rules: Iterable[LeaveOutRule]) -> None:
    """Check that the rules of all files together can be compared with every event.

    :raises RulesError: there are too many
    """
    rules = tuple(rules)
    patterns = sum(
        name.startswith("paths.") + sum(WILDCARD in describe_value(value) for value in values)
        for rule in rules
        for name, values in rule.events.list_values()
    )
    for number, most, what in (
        (len(rules), MOST_RULES, "rules leave events out"),
        (patterns, MOST_PATTERNS, f"paths, and texts with {WILDCARD}, are in the rules that leave events out"),
    ):
        if number > most:
            raise RulesError(f"{number} {what}, and at most {most} are allowed: give one rule several values.")


def _as_tuple(values: Any) -> tuple[Scalar, ...]:
    return values if isinstance(values, tuple) else (values,)
