"""The words for what trackers say in numbers and bits."""

from __future__ import annotations

from collections.abc import Mapping

from app.fleet.plausibility import Mark
from resources.i18n import tr

# gps-protocols.md 2.1, heartbeat levels; the GT06 family uses the same.
POWER_WORDS = ("no power", "too low to call", "low, alarm", "low", "medium", "high", "full")
SIGNAL_WORDS = ("no signal", "very weak", "weak", "good", "strong")

MARK_SENTENCES: Mapping[Mark, str] = {
    Mark.NO_DEVICE_TIME: "The tracker sent no valid time; the time of arrival stands in for it.",
    Mark.AHEAD: "Its time lies more than 5 minutes after its arrival: the tracker's clock is wrong.",
    Mark.OLD: "It arrived more than a day after it was made.",
    Mark.ZERO_POSITION: "It claims latitude 0, longitude 0.",
    Mark.JUMP: "Reaching it from the fix before would need more than 250 km/h.",
    Mark.COURSE_RANGE: "Its course is not between 0 and 360 degrees.",
    Mark.NOT_LOCATED: "The tracker had no fix and repeated an old place.",
    Mark.ABSURD_DATE: "Its date cannot be right.",
    Mark.SPEED_RANGE: "Its speed is negative or above 250 km/h.",
}


def level_word(words: tuple[str, ...], level: int | None) -> str | None:
    """The word with the number as sent, ``strong (4)``; None where nothing was sent."""
    if level is None:
        return None
    return f"{tr(words[level])} ({level})" if 0 <= level < len(words) else str(level)


def mark_sentences(marks: int) -> list[str]:
    """A sentence for each doubt about a fix."""
    return [tr(sentence) for mark, sentence in MARK_SENTENCES.items() if marks & mark]
