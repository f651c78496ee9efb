"""Decides which events are left out of the index, and by which rule.

The decision follows from the event alone, as CloudTrail wrote it, before any rule changes a value. A load and the
count after it decide separately, and must agree.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any, Final, NamedTuple

import msgspec

from cloudtrail_elasticsearch.core.documents.events import (
    Unreadable,
    content_id,
    event_account,
    parse_line,
    read_object,
)
from cloudtrail_elasticsearch.core.documents.leave_out import WILDCARD, LeaveOutRule, Scalar, describe_value
from cloudtrail_elasticsearch.core.documents.own_events import OWN_EVENTS_RULE, OwnEvents, is_own_line
from cloudtrail_elasticsearch.core.encoding import codec, typed

_PATHS: Final = "paths."

_CACHED: Final = 1_024
"""The number of answers that are cached: few callers make most calls, and repeat them."""

_LONGEST_CACHED: Final = 16 * 1024
"""Bytes of a line whose answer is cached, so that the cache takes at most 16 MiB."""


class _Facts(NamedTuple):
    """The values of an event that conditions other than `paths` look at."""

    source: Any
    name: Any
    read_only: Any
    account: str | None
    callers: tuple[Any, Any]


class EventFilter:
    """The rules that leave events out, compiled."""

    def __init__(self, rules: Iterable[LeaveOutRule] = (), own_events: OwnEvents = OwnEvents.KEEP) -> None:
        self._rules = tuple(map(_CompiledRule, rules))
        self._leaves_own = own_events is OwnEvents.LEAVE_OUT
        self._match_often = lru_cache(_CACHED)(self._match_facts)

    @property
    def is_empty(self) -> bool:
        """Whether no event is left out."""
        return not self._rules and not self._leaves_own

    def find_rule(self, line: bytes) -> str | None:
        """Return the name of the first rule that leaves out the event of a line; None if no rule does.

        A line without an event is not left out.
        """
        if self._leaves_own and is_own_line(line):
            return OWN_EVENTS_RULE
        if not self._rules or not self._may_match(line):
            return None
        event = parse_line(line)
        return None if isinstance(event, Unreadable) else self.find_rule_of(event.record)

    def find_rule_of(self, record: dict[str, Any]) -> str | None:
        """Return the name of the first rule that leaves out a record; None if none does. Own events are kept."""
        facts = _read_facts(record)
        for rule in self._rules:
            if rule.matches_facts(facts) and rule.matches_paths(record):
                return rule.name
        return None

    def _may_match(self, line: bytes) -> bool:
        """Whether a rule may match the event of a line; a no is certain.

        Only a few members are decoded. In an object with a repeated name, the last value is used here. The whole
        event has no value there, so no rule matches it because of that object.
        """
        # msgspec decodes recursively, so a deep line could overrun the stack.
        if codec.is_deep(line):
            return True
        try:
            head = _decode_head(line)
        except (msgspec.MsgspecError, UnicodeDecodeError):
            return True
        match = self._match_often if len(line) <= _LONGEST_CACHED else self._match_facts
        if head.event is None:
            return match(head.facts)
        # A staged line has the record under `event`. But a record can have a member of that name, too.
        return match(head.event.facts) or (head != _Head(event=head.event) and match(head.facts))

    def _match_facts(self, facts: _Facts) -> bool:
        # Not `any`, because a generator costs as much as a test.
        for rule in self._rules:  # noqa: SIM110
            if rule.matches_facts(facts):
                return True
        return False


def make_fingerprint(rules: Sequence[LeaveOutRule]) -> str:
    """Return a short name of rules: equal rules leave out the same events, by equal names. Empty without any."""
    if not rules:
        return ""
    # Without `why`, which changes nothing.
    plain = msgspec.to_builtins([[rule.name, rule.events] for rule in rules])
    return content_id(codec.canonical(plain))[:23]


class _CompiledRule:
    """One rule, with the cheapest tests first."""

    def __init__(self, rule: LeaveOutRule) -> None:
        self.name = rule.name
        conditions = dict(rule.events.list_values())
        read_only = conditions.get("read_only", (None,))[0]
        # Some events have the text instead.
        self._read_only = None if read_only is None else (read_only, describe_value(read_only))
        texts = {name: _Texts(values) for name, values in conditions.items() if name != "read_only"}
        self._event_name = texts.pop("name", None)
        self._source = texts.pop("source", None)
        self._account = texts.pop("account", None)
        self._caller = texts.pop("caller", None)
        self._paths = [(name.removeprefix(_PATHS).split("."), wanted) for name, wanted in texts.items()]

    def matches_facts(self, facts: _Facts) -> bool:
        """Whether all conditions except `paths` hold."""
        if self._event_name is not None and not self._event_name.match(facts.name):
            return False
        if self._source is not None and not self._source.match(facts.source):
            return False
        if self._read_only is not None and facts.read_only not in self._read_only:
            return False
        if self._account is not None and not self._account.match(facts.account):
            return False
        return self._caller is None or any(map(self._caller.match, facts.callers))

    def matches_paths(self, record: dict[str, Any]) -> bool:
        """Whether the conditions of `paths` hold."""
        return all(wanted.match_any(_find_values(record, names)) for names, wanted in self._paths)


class _Texts:
    """The values of a condition, of which one must match."""

    def __init__(self, values: Sequence[Scalar]) -> None:
        texts = [describe_value(value) for value in values if value is not None]
        self._takes_nothing = None in values
        self._exact = frozenset(text for text in texts if WILDCARD not in text)
        pieces = [text.split(WILDCARD) for text in texts if WILDCARD in text]
        # Most patterns are beginnings, which Python compares all at once.
        self._beginnings = tuple(each[0] for each in pieces if len(each) == 2 and not each[1])
        self._patterns = [_compile(each) for each in pieces if len(each) > 2 or each[1]]

    def match(self, text: Any) -> bool:
        """Whether a value is a text that matches."""
        if type(text) is not str:
            return False
        if text in self._exact or text.startswith(self._beginnings):
            return True
        return any(matches(text) for matches in self._patterns)

    def match_any(self, values: Iterable[Any]) -> bool:
        """Whether one of the values at a path matches; none of them is null."""
        is_missing = True
        for value in values:
            is_missing = False
            # An object can match nothing but `null`, which it is not.
            if isinstance(value, str | bool | int | float) and self.match(describe_value(value)):
                return True
        return is_missing and self._takes_nothing


def _compile(pieces: list[str]) -> Callable[[str], bool]:
    """Return a function that matches the texts of a pattern, given its pieces around each `*`."""
    first, *middle, last = pieces
    shortest = len(first) + len(last)

    def matches(text: str) -> bool:
        if len(text) < shortest or not text.startswith(first) or not text.endswith(last):
            return False
        at, end = len(first), len(text) - len(last)
        # The leftmost place of each piece leaves the most text for the others, so nothing is tried twice.
        for piece in middle:
            at = text.find(piece, at, end)
            if at < 0:
                return False
            at += len(piece)
        return True

    return matches


def _find_values(record: dict[str, Any], names: list[str]) -> Iterator[Any]:
    """Yield the values at a path, except null; lists are passed through."""
    waiting: list[tuple[Any, int]] = [(record, 0)]
    while waiting:
        value, at = waiting.pop()
        if isinstance(value, list):
            waiting += [(element, at) for element in value]
        elif at == len(names):
            if value is not None:
                yield value
        elif isinstance(value, dict) and names[at] in value:
            waiting.append((value[names[at]], at + 1))


def _read_facts(record: dict[str, Any]) -> _Facts:
    identity = read_object(record, "userIdentity")
    issuer = read_object(read_object(identity, "sessionContext"), "sessionIssuer")
    return _Facts(
        record.get("eventSource"),
        record.get("eventName"),
        record.get("readOnly"),
        event_account(record),
        (identity.get("arn"), issuer.get("arn")),
    )


# Only the needed members: msgspec skips the others without building values.
class _Issuer(msgspec.Struct):
    arn: str | None = None


class _Session(msgspec.Struct):
    sessionIssuer: _Issuer | None = None  # noqa: N815 - CloudTrail's name


class _Identity(msgspec.Struct):
    arn: str | None = None
    accountId: str | None = None  # noqa: N815
    sessionContext: _Session | None = None  # noqa: N815


class _Record(msgspec.Struct):
    eventSource: str | None = None  # noqa: N815
    eventName: str | None = None  # noqa: N815
    readOnly: bool | str | None = None  # noqa: N815
    recipientAccountId: str | None = None  # noqa: N815
    accountId: str | None = None  # noqa: N815
    userIdentity: _Identity | None = None  # noqa: N815

    @property
    def facts(self) -> _Facts:
        """The same as `_read_facts` of the whole record, if no object in it has a repeated name."""
        identity = self.userIdentity
        account = self.recipientAccountId or self.accountId or (identity.accountId if identity else None) or None
        arn = issued = None
        if identity is not None:
            arn = identity.arn
            session = identity.sessionContext
            if session is not None and session.sessionIssuer is not None:
                issued = session.sessionIssuer.arn
        return _Facts(self.eventSource, self.eventName, self.readOnly, account, (arn, issued))


class _Head(_Record):
    event: _Record | None = None


_decode_head: Final = typed.make_decode(_Head)
