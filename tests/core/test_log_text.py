"""Texts of servers and events are made safe for one line of a log."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core.errors import LoaderError
from cloudtrail_elasticsearch.core.log_text import MOST_CHARACTERS, redact, safe_text

UNSAFE = re.compile("[\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@pytest.mark.promise("closed")
@given(text=st.text(st.characters(codec=None)))
def test_a_text_stays_on_one_line(text: str) -> None:
    """Control characters, line separators, direction marks and lone surrogates are escaped."""
    assert not UNSAFE.search(safe_text(text))
    assert not UNSAFE.search(str(LoaderError(text)))
    safe_text(text).encode()


def test_harmless_characters_are_unchanged() -> None:
    """Other languages stay legible, and an escape shows the character it replaces."""
    assert safe_text("Zürich 東京 — a path/of/things") == "Zürich 東京 — a path/of/things"
    assert safe_text("\x1b[31mred\n\u202e") == "\\x1b[31mred\\n\\u202e"


def test_a_long_text_is_cut() -> None:
    """Whatever its length, and however many of its characters are escaped."""
    assert len(safe_text("\n" * 10_000_000)) == MOST_CHARACTERS + 1


@pytest.mark.promise("closed")
@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Basic {secret}",
        "authorization=ApiKey {secret}",
        "{{'Authorization': 'Bearer {secret}'}}",
        '{{"authorization": ["Basic {secret}"]}}',
        '{{\\"authorization\\": \\"{secret}\\"}}',
        "unable to authenticate with Basic {secret} for REST request",
        "Authorization: AWS4-HMAC-SHA256 Credential=AKIA/2026/es, SignedHeaders=host, Signature={secret}",
        "AWS4-HMAC-SHA256 Credential={secret}/20260101, SignedHeaders=host",
        "x-amz-security-token:{secret}",
        "https://ada:{secret}@search.example.com:9200/_bulk",
        "Set-Cookie: {secret}",
    ],
)
def test_credentials_are_removed(text: str) -> None:
    """In the forms in which servers quote headers."""
    assert "c2VjcmV0" not in redact(text.format(secret="c2VjcmV0OnNlY3JldA=="))


@pytest.mark.promise("closed")
def test_known_secrets_are_removed_wherever_they_are() -> None:
    """The words around them stay."""
    assert redact("it is hunter22, he said", ["hunter22"]) == "it is [redacted], he said"
