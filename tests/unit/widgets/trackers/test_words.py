"""How a tracker is put into words: ages, levels, clocks."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.fleet.devices import MOST_OFFSET_S
from app.preferences import PreferencesFile
from tests.helpers.map_fleet import a_tracker
from widgets.formats import Formats
from widgets.preferences import Preferences
from widgets.trackers import words

NOW_MS = 1_767_225_600_000
MINUTE_MS = 60_000


@pytest.fixture
def formats(tmp_path: Path, qapp: object) -> Formats:
    return Formats(Preferences(PreferencesFile(tmp_path / "preferences.json")))


@pytest.mark.parametrize(
    ("age_ms", "pill"),
    [
        (0, ("ok", "Online")),
        (-5_000, ("ok", "Online")),  # its frame arrived after this computer's clock was read
        (10 * MINUTE_MS - 1, ("ok", "Online")),
        (10 * MINUTE_MS, ("warn", "Stale 10 min")),
        (60 * MINUTE_MS, ("neutral", "Silent 1 h")),
        (5 * 60 * MINUTE_MS + 20 * MINUTE_MS, ("neutral", "Silent 5 h")),
        (72 * 60 * MINUTE_MS, ("neutral", "Silent 3 days")),
    ],
)
def test_the_state_is_a_word_with_the_age_of_the_data(formats: Formats, age_ms: int, pill: tuple[str, str]) -> None:
    assert words.state_pill(a_tracker(1, last_seen_ms=NOW_MS - age_ms), NOW_MS, formats) == pill


def test_never_heard_is_its_own_state(formats: Formats) -> None:
    row = a_tracker(1)
    assert words.state_pill(row, NOW_MS, formats) == ("neutral", "Never heard")
    assert words.last_frame(row, NOW_MS, formats) == "–"
    assert words.age(None, NOW_MS, formats) == "–"


def test_levels_are_words_and_their_scale_is_explained() -> None:
    told = a_tracker(1, battery_percent=87, battery_v=3.92)
    assert words.battery(told) == "87 %, 3.9 V"
    assert "percent" in words.battery_tip(told)
    row = a_tracker(1, gsm_level=4, power_level=2, battery_v=3.92, external_v=12.6, charging=True)
    assert words.signal(row) == "strong (4)"
    assert words.battery(row) == "low, alarm (2), 3.9 V, vehicle 12.6 V, charging"
    assert "0 no signal, 1 very weak, 2 weak, 3 good, 4 strong" in words.signal_tip(row)
    assert "6 full" in words.battery_tip(row)
    assert words.signal(a_tracker(1)) == words.battery(a_tracker(1)) == "–"
    assert "has not told" in words.battery_tip(a_tracker(1))


def test_a_level_beyond_the_scale_is_shown_as_sent() -> None:
    assert words.signal(a_tracker(1, gsm_level=9)) == "9"


@pytest.mark.parametrize(
    ("lag_s", "offset_s", "badge", "suggested"),
    [
        (None, None, None, ""),
        (40, None, None, ""),
        (28_790, None, ("warn", "8:00 h ahead"), "28800 s"),
        (-1_800, 3_600, ("warn", "0:30 h behind"), "1800 s"),
    ],
)
def test_a_clock_in_another_zone_is_warned_of(
    lag_s: int | None, offset_s: int | None, badge: tuple[str, str] | None, suggested: str
) -> None:
    row = a_tracker(1, clock_lag_s=lag_s, clock_offset_s=offset_s)
    assert words.clock_badge(row) == badge
    assert suggested in words.clock_tip(row)


def test_an_offset_that_was_set_is_named() -> None:
    assert words.clock(a_tracker(1, clock_offset_s=28_800)) == "set to UTC+8:00"
    assert words.clock(a_tracker(1, clock_offset_s=0)) == "set to UTC"


@given(st.integers(-MOST_OFFSET_S, MOST_OFFSET_S))
def test_an_offset_reads_back_as_it_was_written(offset_s: int) -> None:
    assert words.parse_offset(words.offset_text(offset_s)) == offset_s
    assert words.parse_offset(words.zone_text(offset_s)) == offset_s


@pytest.mark.parametrize(
    ("text", "offset_s"), [("8", 28_800), (" utc + 1 ", 3_600), ("-0:30", -1_800), ("−5:45", -20_700)]
)
def test_offsets_as_people_write_them(text: str, offset_s: int) -> None:
    assert words.parse_offset(text) == offset_s


@pytest.mark.parametrize("text", ["", "eight", "8:75", "8:5", "+-8", "1:00:00:00", "800", "٨"])
def test_what_is_no_offset_is_refused(text: str) -> None:
    assert words.parse_offset(text) is None


@given(st.text())
def test_no_text_breaks_the_reading_of_offsets(text: str) -> None:
    value = words.parse_offset(text)
    assert value is None or abs(value) < 100 * 3_600
