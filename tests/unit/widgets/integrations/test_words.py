from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from app.catalogue import Catalogue, Entry
from app.engine.phases import Phase
from app.integrations import IntegrationRow
from app.preferences import PreferencesFile
from widgets.formats import Formats
from widgets.integrations.words import (
    badge_of,
    category_choices,
    counter_label,
    explain,
    icon_of,
    matches,
    phase_pill,
    times_line,
)
from widgets.preferences import Preferences

NOW = datetime(2026, 5, 4, 8, 0, tzinfo=UTC)
ROW = IntegrationRow("i", "gt02_tracker", "Depot", "active", "healthy", "", NOW - timedelta(hours=2), None, None, None)
ENTRY = replace(Catalogue.load().entry("mod4"), is_new=False)


def entry(key: str) -> Entry:
    return Catalogue.load().entry(key)


@pytest.mark.parametrize(
    ("card", "words", "badge"),
    [
        (replace(ENTRY, coming_soon=True, is_new=True), ["active"], "Coming Soon"),
        (replace(ENTRY, is_new=True), ["error"], "New"),
        (ENTRY, ["active"], "Active"),
        (ENTRY, ["active", "error"], "Error"),
        (ENTRY, ["active", "inactive"], "Active"),
        (ENTRY, ["configured"], "Configured"),
        (ENTRY, ["inactive"], "Configured"),
        (ENTRY, [], None),
    ],
)
def test_the_first_rule_that_applies_makes_the_badge(card: Entry, words: list[str], badge: str | None) -> None:
    found = badge_of(card, [replace(ROW, status=word) for word in words])
    assert (found.text if found is not None else None) == badge


@pytest.mark.parametrize(
    ("key", "text", "category", "found"),
    [
        ("traccar", "TRACCAR", "all", True),
        ("traccar", "with their history", "all", True),  # of the description
        ("traccar", "Geofencing", "all", False),  # a capability is not searched
        ("traccar", "", "telemetry", True),
        ("traccar", "", "government", False),
        ("nhlmis", "nigeria", "government", True),
        ("nhlmis", "nigeria", "telemetry", False),
    ],
)
def test_search_and_category_both_have_to_hold(key: str, text: str, category: str, found: bool) -> None:
    assert matches(entry(key), text, category) is found


def test_the_categories_are_those_of_the_platform_in_its_order() -> None:
    assert [label for _, label in category_choices()] == [
        "All Integrations",
        "Supply Chain",
        "Fleet Management",
        "Telemetry",
        "Government",
        "Execution",
    ]


def test_an_icon_that_is_not_shipped_costs_no_page() -> None:
    """A package of others may name any icon, and one that is gone names none."""
    assert [icon_of(replace(ENTRY, icon=name)) for name in ("truck", "no-such-icon", "")] == ["truck", "plug", "plug"]
    assert icon_of(None) == "plug"


def test_every_phase_has_a_word_of_its_own() -> None:
    words = {phase_pill(phase)[1] for phase in Phase}
    assert len(words) == len(Phase)


@pytest.fixture
def formats(tmp_path: Path, qapp: object) -> Formats:
    return Formats(Preferences(PreferencesFile(tmp_path / "preferences.json")))


def test_the_line_of_times_counts_down_to_the_next_try(formats: Formats) -> None:
    row = replace(
        ROW, phase="retrying", since=NOW - timedelta(minutes=4), next_try=NOW + timedelta(seconds=40), last_sync=NOW
    )
    later = NOW + timedelta(seconds=15)
    assert times_line(row, formats, NOW) == "Retrying for 4 min · retrying in 40 s · Last sync: just now"
    assert times_line(row, formats, later) == "Retrying for 4 min · retrying in 25 s · Last sync: 15 s ago"
    assert "trying now" in times_line(row, formats, NOW + timedelta(minutes=1))


def test_a_clock_that_was_set_back_makes_no_negative_age(formats: Formats) -> None:
    assert times_line(replace(ROW, since=NOW + timedelta(hours=1)), formats, NOW) == "Healthy for 0 s"


def test_what_is_said_of_an_integration() -> None:
    assert explain(replace(ROW, reason="Listening on port 5022."), "A tracker") == "Listening on port 5022."
    assert explain(ROW, "A tracker") == "A tracker"
    assert explain(replace(ROW, phase="disabled", reason="old"), "A tracker").startswith("Switched off")


def test_counters_of_third_parties_are_shown_by_their_name() -> None:
    assert counter_label("skipped_bytes") == "Skipped bytes"
    assert counter_label("lost_doors") == "Lost doors"
