from __future__ import annotations

from pathlib import Path

import pytest

from tests.soak import traccar_outage


@pytest.mark.soak
async def test_a_day_without_the_server_of_500_vehicles_comes_back_whole(tmp_path: Path) -> None:
    report = await traccar_outage.run(tmp_path, vehicles=500, interval_s=60, patience_s=1_800)
    print(report)
    assert report.ok, report
    assert report.sent_meanwhile > 500_000
