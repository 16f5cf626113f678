"""Choices are checked, kept, and told."""

from __future__ import annotations

import pytest

from app.preferences import PreferencesFile
from tests.helpers.qt import Console


async def test_a_choice_holds_is_told_and_is_there_next_time(console: Console) -> None:
    preferences = console.context.preferences
    told: list[str] = []
    preferences.changed.connect(lambda: told.append(preferences.choices.theme))
    await preferences.change(theme="contrast")
    await preferences.change(theme="contrast")
    assert told == ["contrast"]
    assert PreferencesFile(console.paths.preferences).load().theme == "contrast"


@pytest.mark.parametrize("wrong", [{"theme": "pink"}, {"time_zone": "Mars/Olympus"}, {"units": "furlongs"}])
async def test_a_choice_that_cannot_be_is_refused_and_nothing_changes(console: Console, wrong: dict[str, str]) -> None:
    before = console.context.preferences.choices
    with pytest.raises(ValueError, match=r"\w"):
        await console.context.preferences.change(**wrong)
    assert console.context.preferences.choices == before


async def test_what_cannot_be_kept_does_not_hold(console: Console) -> None:
    console.paths.preferences.mkdir()
    with pytest.raises(OSError, match=r"\w"):
        await console.context.preferences.change(units="imperial")
    assert console.context.preferences.choices.units == "metric"
