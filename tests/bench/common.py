"""What benchmarks share: a folder on a real disk, medians, one way to print a figure beside its baseline."""

from __future__ import annotations

import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path

import numpy as np

CACHE = Path(__file__).parents[2] / ".bench"
"""Kept between runs: what takes long to build. On the disk of the project, because /tmp is often memory."""
MIGRATIONS = Path(__file__).parents[2] / "app" / "store" / "migrations" / "versions"


@contextmanager
def scratch() -> Iterator[Path]:
    """An empty folder on the disk of the project, removed afterwards."""
    CACHE.mkdir(exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="run-", dir=CACHE))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def built_store(name: str, build: Callable[[Path], None]) -> str:
    """The address of a store that ``build`` fills in a folder, once; anew when the schema is another."""
    schema = b"".join(path.read_bytes() for path in sorted(MIGRATIONS.glob("*.py")))
    folder = CACHE / f"{name}-{blake2b(schema, digest_size=4).hexdigest()}"
    if not (folder / "complete").exists():
        for old in CACHE.glob(f"{name}-*"):
            shutil.rmtree(old)
        print(f"building {folder.name} once …", flush=True)
        build(folder)
        (folder / "complete").touch()
    return f"sqlite:///{folder / 'store.db'}"


def timed_ms(call: Callable[[], object]) -> float:
    started = time.perf_counter()
    call()
    return (time.perf_counter() - started) * 1_000


def report(what: str, figures: Sequence[float], unit: str, *, target: str = "") -> float:
    """Print the median of ``figures`` with their range; returns the median."""
    median = statistics.median(figures)
    spread = f"{min(figures):,.4g} … {max(figures):,.4g}" if len(figures) > 1 else "one run"
    print(f"{what:<46} {median:>12,.4g} {unit:<14} ({spread}){'  target ' + target if target else ''}", flush=True)
    return median


def percentile(figures: Sequence[float], percent: float) -> float:
    """The figure below which ``percent`` of all lie; the greatest ones stay in."""
    return float(np.percentile(figures, percent, method="higher"))


def unmet(why: str) -> RuntimeError:
    """The error of a run that cannot give a figure."""
    return RuntimeError(why)


def rss_mb(pid: int, *, peak: bool = False) -> float:
    """Resident memory of a process in MB, 0 where the system does not say."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return 0.0
    wanted = "VmHWM:" if peak else "VmRSS:"
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith(wanted))
