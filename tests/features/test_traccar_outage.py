"""The Traccar server is away for a day; the engine reads back all of it by itself, each fix once."""

from __future__ import annotations

from pathlib import Path

from tests.soak import traccar_outage


async def test_a_day_without_the_server_comes_back_whole(tmp_path: Path) -> None:
    report = await traccar_outage.run(tmp_path, vehicles=8, interval_s=300)
    assert report.ok, report
    assert report.sent_meanwhile > 2_000
