from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.soak import power_cut


@pytest.mark.soak
def test_many_power_cuts_lose_and_double_nothing(tmp_path: Path) -> None:
    rounds = int(os.environ.get("BIKO_SOAK_CUTS", "1000"))
    seed = random.SystemRandom().randrange(1_000_000)
    report = power_cut.run(tmp_path, rounds, seed=seed)
    print(seed, report)
    assert report.ok, (seed, report.faults[:10])
