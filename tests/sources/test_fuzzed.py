"""Files with any damage: the reader ends, raises nothing, and loses no line silently."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from cloudtrail_elasticsearch.core.documents.events import Unreadable, parse_line
from tests.examples import examples
from tests.sources.spellings import SPELLINGS, STAGED_SPELLINGS
from tests.sources.test_spellings import EVENTS, read

FILES = [spelling(EVENTS) for spelling in (SPELLINGS | STAGED_SPELLINGS).values()]
JUNK = st.one_of(
    st.binary(max_size=4),
    st.sampled_from([b'"', b"{", b"}", b"[", b"]", b",", b":", b"\\", b"\n", b"\xff", b'{"Records":[', b"null"]),
)
DAMAGE = st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 40), JUNK), min_size=1, max_size=3)


@settings(max_examples=examples(600))
@given(content=st.sampled_from(FILES), damages=DAMAGE, size=st.integers(16, 4_000))
def test_no_damage_crashes_the_reader(content: bytes, damages: list[tuple[int, int, bytes]], size: int) -> None:
    """Returned lines are counted, and unreadable ones are in the report."""
    for at, length, junk in damages:
        begin = at % len(content)
        content = content[:begin] + junk + content[begin + length :]
    lines, report = read(content, size)
    assert report.read == len(lines)
    unreadable = [line for line in lines if isinstance(parse_line(line), Unreadable)]
    assert report.unreadable == len(unreadable)


@settings(max_examples=examples(300))
@given(parts=st.lists(JUNK, max_size=30), size=st.integers(1, 30))
def test_no_text_crashes_the_reader(parts: list[bytes], size: int) -> None:
    """Brackets, quotes and bytes in any order; the result is the same for any division into pieces."""
    content = b" " + b"".join(parts)
    lines, report = read(content, size)
    assert report.read == len(lines)
    whole, report_of_whole = read(content)
    assert (whole == []) == (lines == [])
    assert report.is_sound == report_of_whole.is_sound
