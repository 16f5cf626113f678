"""``fuel analyse`` over a million samples, reading the file included, beside numpy reading and smoothing it."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np

from app.fuel.analyse import analyse
from app.fuel.detect.filters import sliding_median
from app.fuel.series import Samples, samples_from_csv
from tests.bench.common import report, scratch
from tests.helpers.fuel_generator import drive

WANTED = 1_000_000
RUNS = 3


def run() -> None:
    truth = drive(1, days=7)
    with scratch() as folder:
        path = folder / "vehicle.csv"
        samples = _write(path, truth.samples)
        rates, plain = [], []
        for _run in range(RUNS):
            started = time.perf_counter()
            found = analyse(samples_from_csv(path), truth.table, truth.parameters)
            rates.append(samples / (time.perf_counter() - started))
            started = time.perf_counter()
            columns = np.loadtxt(path, delimiter=",", skiprows=1, usecols=(1, 2, 3, 4, 5))
            sliding_median(columns[:, 0], 11)
            plain.append(samples / (time.perf_counter() - started))
        report(f"fuel analyse, {samples:,} samples, {len(found.events)} events", rates, "samples/s", target="≥ 300,000")
        report("numpy.loadtxt and one median of the same file", plain, "samples/s")


def _write(path: Path, part: Samples) -> int:
    """A vehicle's week again and again until there are a million samples."""
    lines = ["time,level_raw,speed_km_h,ignition,lat,lon,temperature_c"]
    week = 0
    while len(lines) <= WANTED:
        shift = week * 7 * 86_400
        moments = (part.time_s + shift).astype("datetime64[s]").astype(str)
        raw = np.nan_to_num(part.raw)
        lines += [
            f"{at}Z,{level:.0f},{speed:.1f},{ignition},{lat:.6f},{lon:.6f},{warm:.0f}"
            for at, level, speed, ignition, lat, lon, warm in zip(
                moments, raw, part.speed_km_h, part.ignition, part.lat, part.lon, part.temperature_c, strict=True
            )
        ]
        week += 1
    path.write_text("\n".join(lines[: WANTED + 1]) + "\n", "utf-8")
    return WANTED
