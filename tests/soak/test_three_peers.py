"""Ten thousand operations against three failing supply systems; a short form of it in every run of the tests."""

from __future__ import annotations

import os
import random
from pathlib import Path

import pytest

from tests.helpers.stores import make_store
from tests.soak import three_peers


@pytest.mark.soak
async def test_ten_thousand_operations_against_failing_systems_lose_and_double_nothing(tmp_path: Path) -> None:
    operations = int(os.environ.get("BIKO_SOAK_OPERATIONS", "10000"))
    seed = random.SystemRandom().randrange(1_000_000)
    await _run(tmp_path, operations, seed, heal_s=600)


async def test_some_hundred_operations_against_failing_systems_lose_and_double_nothing(tmp_path: Path) -> None:
    await _run(tmp_path, 240, random.SystemRandom().randrange(1_000_000), heal_s=90)


async def _run(folder: Path, operations: int, seed: int, *, heal_s: float) -> None:
    store = make_store(folder)
    try:
        report = await three_peers.run(store, folder, operations, seed=seed, heal_s=heal_s)
    finally:
        store.close()
    print(seed, report)
    assert report.ok, (seed, report)
