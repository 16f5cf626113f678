from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.adapters.fuel_monitoring.lines import needs_pty
from tests.soak import unplug

pytestmark = needs_pty


@pytest.mark.soak
async def test_five_hundred_pulled_cables_lose_nothing(tmp_path: Path) -> None:
    cycles = int(os.environ.get("BIKO_SOAK_UNPLUGS", "500"))
    seed = random.SystemRandom().randrange(1_000_000)
    report = await unplug.run(tmp_path, cycles, seed=seed)
    print(seed, report)
    assert report.ok, (seed, report)
    assert report.cut_frames > 0, "no pull fell into a frame"


async def test_ten_pulled_cables_lose_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    unplug.be_quick(monkeypatch.setattr)
    seed = random.SystemRandom().randrange(1_000_000)
    report = await unplug.run(tmp_path, 10, seed=seed)
    assert report.ok, (seed, report)
