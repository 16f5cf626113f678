"""The power goes while a fleet reports; what was acknowledged is there, and what is sent again is stored once."""

from __future__ import annotations

from pathlib import Path

from tests.soak import power_cut


def test_power_cuts_lose_and_double_nothing(tmp_path: Path) -> None:
    report = power_cut.run(tmp_path, 8, seed=20_260_101)
    assert report.ok, report.faults
