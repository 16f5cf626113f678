"""Searches as typed, ranges of time as chosen, changes and moments as written."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.clock import utc_now
from app.preferences import PreferencesFile
from widgets.activity.wanted import range_of, read_search
from widgets.activity.words import (
    act_word,
    as_json,
    change_summary,
    changes_between,
    humanised,
    log_word,
    moment,
)
from widgets.formats import Formats
from widgets.preferences import Preferences

LAGOS = ZoneInfo("Africa/Lagos")
NOW = datetime(2026, 3, 1, 23, 30, tzinfo=UTC)  # the second of March in Lagos
DAYS = (date(2026, 2, 27), date(2026, 2, 28))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=8,
)
STATES = st.dictionaries(st.text(max_size=4), JSON, max_size=4)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", ((), None)),
        ("  Kano   lost ", (("Kano", "lost"), None)),
        ("#17", ((), 17)),
        ("kano #17", (("kano",), 17)),
        ("#", (("#",), None)),
        ("#x1", (("#x1",), None)),
        ("#²", (("#²",), None)),
        ("#" + "9" * 30, (("#" + "9" * 30,), None)),
        ("a\x00b", (("ab",), None)),
    ],
)
def test_a_search_is_words_and_perhaps_a_number(text: str, found: tuple[tuple[str, ...], int | None]) -> None:
    assert read_search(text) == found


@given(st.text())
def test_any_text_can_be_searched(text: str) -> None:
    words, number = read_search(text)
    assert all(word and "\x00" not in word for word in words)
    assert number is None or 0 <= number < 2**63


@pytest.mark.parametrize(
    ("choice", "since", "until"),
    [
        ("any", None, None),
        ("hour", NOW - timedelta(hours=1), None),
        ("today", datetime(2026, 3, 1, 23, 0, tzinfo=UTC), None),
        ("week", NOW - timedelta(days=7), None),
        ("days", datetime(2026, 2, 26, 23, 0, tzinfo=UTC), datetime(2026, 2, 28, 23, 0, tzinfo=UTC)),
    ],
)
def test_ranges_begin_and_end_at_midnight_of_the_chosen_zone(
    choice: str, since: datetime | None, until: datetime | None
) -> None:
    assert range_of(choice, NOW, LAGOS, DAYS) == (since, until)
    assert range_of(choice, NOW, LAGOS, DAYS[::-1]) == (since, until)


def test_changes_are_named_by_their_path() -> None:
    before = {"config": {"port": 5022, "host": "a"}, "name": "Old", "gone": 1, "same": [1]}
    after = {"config": {"port": 5023, "host": "a"}, "name": "New", "same": [1], "came": True}
    assert changes_between(before, after) == [
        ("config.port", "5022", "5023"),
        ("name", "Old", "New"),
        ("gone", "1", None),
        ("came", None, "true"),
    ]
    assert change_summary({"vehicle": "A"}, {"vehicle": "B", "x": "y" * 100}) == f"vehicle: A → B, x: {'y' * 59}…"
    assert changes_between(None, None) == []


@given(st.dictionaries(st.text(max_size=4), JSON, max_size=4), st.dictionaries(st.text(max_size=4), JSON, max_size=4))
def test_equal_states_have_no_changes_and_different_ones_read_back(
    before: dict[str, Any], after: dict[str, Any]
) -> None:
    assert changes_between(before, before) == []
    assert all(old != new for _path, old, new in changes_between(before, after))
    assert isinstance(change_summary(before, after), str)


def test_codes_have_words_and_unknown_ones_are_readable() -> None:
    assert log_word("peer_lost") == ("warn", "Connection lost")
    assert log_word("fuel_table_changed") == ("neutral", "Fuel table changed")
    assert act_word("device.adopt") == "Adopted a tracker"
    assert act_word("report.fill") == "Report fill"
    assert humanised("sos") == "SOS"
    assert humanised("geofence_enter") == "Geofence enter"


def test_contents_keep_the_letters_of_every_language() -> None:
    assert as_json({"name": "Ọ̀yọ́", "n": 1}) == '{\n  "name": "Ọ̀yọ́",\n  "n": 1\n}'


def test_moments_of_today_are_short_and_others_have_a_date(tmp_path: Path, qapp: object) -> None:
    formats = Formats(Preferences(PreferencesFile(tmp_path / "preferences.json")))
    now = utc_now()
    assert moment(formats, now) == f"{now.astimezone(formats.zone):%H:%M:%S}"
    assert moment(formats, datetime(2001, 2, 3, 4, 5, 6, tzinfo=UTC).astimezone(formats.zone)).startswith("2001-02-0")
    assert moment(formats, None) == "–"
    assert moment(formats, 2**62)  # devices do report such dates
