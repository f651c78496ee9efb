"""docs/sizing.md: the computed values follow from the figures on the page."""

from __future__ import annotations

import re

import pytest

from .pages import ROOT

TEXT = (ROOT / "docs" / "sizing.md").read_text()
ROWS = {
    cells[0]: cells[1:]
    for line in TEXT.splitlines()
    if (cells := [cell.strip() for cell in line.split("|")[1:-1]])
}


def number(text: str) -> float:
    """Return the first number of a text."""
    found = re.search(r"[\d,]+(\.\d+)?", text)
    assert found is not None, text
    return float(found[0].replace(",", ""))


def figure(name: str) -> float:
    (row,) = (cells for title, cells in ROWS.items() if title.startswith(name))
    return number(row[0])


EVENTS = (1e6, 1e7, 1e8)
SHARE = figure("the busiest region's share") / 100
LOOKING_UP = SHARE / figure("a fetch reaches") / 3600
BYTES_GB = 1e-9

PER_EVENT = {
    "events in the busiest region": SHARE,
    "looking them up, hours": LOOKING_UP,
    "with the second look-up of `cloudtrail_late_events`, hours": 2 * LOOKING_UP,
    "LookupEvents calls": 1 / 50,
    "processor time for them, hours": figure("processor time of a call") / 1000 / 50 / 3600,
    "loading, hours on two cores": 1 / figure("loading, at least") / 3600,
    "staged a day, GB": figure("a staged event") * BYTES_GB,
    "staged in 90 days, GB": 90 * figure("a staged event") * BYTES_GB,
    "index a day, GB": figure("a document in the index") * BYTES_GB,
    "index in a year, GB": 365 * figure("a document in the index") * BYTES_GB,
}


@pytest.mark.parametrize("name", PER_EVENT)
def test_each_row_follows_from_the_figures(name: str) -> None:
    """To the displayed digits."""
    shown = [number(cell) for cell in ROWS[name]]
    assert shown == pytest.approx([PER_EVENT[name] * events for events in EVENTS], rel=0.02)


def test_every_computed_row_is_checked() -> None:
    """The table has no number that does not follow from a figure."""
    titles = [name for name, cells in ROWS.items() if len(cells) == 3 and name and not set(name) <= set("-")]
    assert set(titles) == PER_EVENT.keys()


def test_the_end_of_lookup_events_follows_from_the_quota() -> None:
    """A region's day at the quota, at the measured share of it, and an account's day at the assumed share."""
    quota = 2 * 50 * 86_400
    reached = quota * figure("a fetch reaches") / figure("LookupEvents, for each account and region")
    assert f"**{quota:,} events a day" in TEXT
    for share, second_look, limit in (1, 1, "8.47"), (1, 2, "4.2"), (SHARE, 1, "22.9"), (SHARE, 2, "11.4"):
        assert float(limit) == pytest.approx(reached / second_look / share / 1e6, rel=0.01)
        assert f"{limit} million" in TEXT
    assert number(TEXT[TEXT.index("no region may have more than") :]) == pytest.approx(reached / 1e6, rel=0.01)
