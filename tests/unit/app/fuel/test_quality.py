"""The score of a sensor and the advice: a sentence for each fault, none for a sensor that is well."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from app.fuel.analyse import analyse
from app.fuel.parameters import Parameters
from app.fuel.quality import Quality
from app.fuel.series import Samples, make_samples
from app.fuel.table import TankTable, make_table

TABLE = make_table([(count * 200, count * 15) for count in range(21)])
COUNT = 2_000


def signal() -> Samples:
    """A week of driving and standing, four hours each; sloshing while moving, calm while standing."""
    draw = np.random.default_rng(5)
    at = np.arange(COUNT)
    moving = (at // 100) % 2 == 1
    raw = 3_600 - at * 0.8 + draw.normal(0, 1, COUNT) * np.where(moving, 120, 2)
    speed = np.where(moving, 60.0, 0.0)
    return make_samples(at.astype(np.float64) * 120, np.round(raw), speed, moving.astype(np.int8))


def judged(samples: Samples, table: TankTable = TABLE) -> Quality:
    return analyse(samples, table, Parameters()).quality


def test_a_sensor_that_is_well_gets_no_advice_however_its_fuel_sloshes() -> None:
    assert judged(signal()) == Quality(100, ())


def _without(samples: Samples) -> Samples:
    return replace(samples, raw=np.where(np.arange(COUNT) % 10 == 0, np.nan, samples.raw))


def _outside(samples: Samples) -> Samples:
    return replace(samples, raw=np.where(np.arange(COUNT) % 40 == 0, 9_000.0, samples.raw))


def _stuck(samples: Samples) -> Samples:
    return replace(samples, raw=np.full(COUNT, 2_000.0))


def _noisy(samples: Samples) -> Samples:
    return replace(samples, raw=samples.raw + np.random.default_rng(6).normal(0, 130, COUNT))


def _spiky(samples: Samples) -> Samples:
    return replace(samples, raw=np.where(np.arange(COUNT) % 15 == 7, samples.raw * 0.5, samples.raw))


def _coarse(samples: Samples) -> Samples:
    return replace(samples, raw=np.round(samples.raw / 80) * 80)


def _silent(samples: Samples) -> Samples:
    at = np.arange(COUNT)
    return samples.part(~((at % 200 >= 110) & (at % 200 < 160)))


@pytest.mark.parametrize(("spoil", "word"), [
    (_without, "carry no reading"), (_outside, "outside the tank's table"), (_stuck, "did not change"),
    (_noisy, "scatter by"), (_spiky, "are spikes"), (_coarse, "One count is over"), (_silent, "there is no reading"),
])  # fmt: skip
def test_each_fault_costs_points_and_says_what_to_do(spoil: object, word: str) -> None:
    assert callable(spoil)
    quality = judged(spoil(signal()))
    assert quality.score < 100
    assert any(word in sentence for sentence in quality.advice), quality
    assert all(sentence.count(".") >= 1 for sentence in quality.advice)


def test_a_table_that_is_unlikely_is_named() -> None:
    jump = make_table([(0, 0), (2_000, 40), (2_100, 60), (4_000, 300)])
    assert any("table" in sentence for sentence in judged(signal(), jump).advice)


def test_nothing_at_all_scores_nothing() -> None:
    assert judged(make_samples(np.zeros(0), np.zeros(0))).score == 0
