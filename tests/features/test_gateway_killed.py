"""The gateway is killed under load, again and again; nothing that was acknowledged is lost or doubled."""

from __future__ import annotations

from pathlib import Path

from tests.soak import kill9


def test_five_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    report = kill9.run(tmp_path, 5, seed=20_260_101)
    assert report.ok, report
    assert report.acknowledged > 500
