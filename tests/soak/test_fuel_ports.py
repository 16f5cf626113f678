from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.adapters.fuel_monitoring.lines import needs_pty
from tests.bench.bench_fuel_ports import measure


@needs_pty
@pytest.mark.soak
def test_eight_ports_and_a_busy_bus_for_ten_minutes_drop_nothing_and_stay_flat(tmp_path: Path) -> None:
    seconds = float(os.environ.get("BIKO_SOAK_FUEL_S", "600"))
    outcome = measure(tmp_path / "run", seconds, settle_s=min(60.0, seconds / 4))
    print(outcome)
    assert outcome.frames_sent / outcome.seconds >= 3_900
    assert outcome.answers / outcome.seconds >= 75
    assert outcome.dropped == 0, outcome
    assert outcome.troubles.get("dropped_bytes", 0) == 0
    assert outcome.last_mb <= 1.1 * outcome.settled_mb + 5
