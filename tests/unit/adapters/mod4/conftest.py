"""Simulated platforms for these tests."""

from __future__ import annotations

from tests.helpers.mod4_platform import (
    as_committed,
    either,
    make_mod4,
    mod4_first_days,
    mod4_scratch,
    mod4_server,
    repaired,
    scratch,
    scratch_committed,
    scratch_repaired,
)

__all__ = [
    "as_committed",
    "either",
    "make_mod4",
    "mod4_first_days",
    "mod4_scratch",
    "mod4_server",
    "repaired",
    "scratch",
    "scratch_committed",
    "scratch_repaired",
]
