"""The workbench for fuel sensors: find, read, set up and record whatever hangs on a port (adapters/bench.py)."""

from adapters.fuel_monitoring.bench.bench import FuelBench

BENCH = FuelBench()

__all__ = ["BENCH", "FuelBench"]
