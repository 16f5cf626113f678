from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.soak import kill9


@pytest.mark.soak
def test_two_hundred_kills_lose_and_double_nothing(tmp_path: Path) -> None:
    kills = int(os.environ.get("BIKO_SOAK_KILLS", "200"))
    seed = random.SystemRandom().randrange(1_000_000)
    report = kill9.run(tmp_path, kills, seed=seed)
    print(seed, report)
    assert report.ok, (seed, report)


@pytest.mark.soak
async def test_under_the_console_the_gateway_comes_back_by_itself(tmp_path: Path) -> None:
    seed = random.SystemRandom().randrange(1_000_000)
    report = await kill9.run_supervised(tmp_path, 4, seed=seed)  # a fifth within five minutes is a problem to show
    print(seed, report)
    assert report.ok, (seed, report)
