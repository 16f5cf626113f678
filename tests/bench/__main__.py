"""``python -m tests.bench [NAME…]``: run benchmarks; without a name, all of them.

Each entry names a module of this package and a function that takes nothing and prints its figures, each beside its
baseline of the same run.
"""

from __future__ import annotations

import importlib
import os
import sys

BENCHES = {
    "ingest": "tests.bench.bench_ingest:run",
    "load": "tests.bench.bench_load:run",
    "map": "tests.bench.bench_map:run",
    "flood": "tests.bench.bench_flood:run",
    "screen": "tests.bench.bench_screen:run",
    "history": "tests.bench.bench_queries:run",
    "start": "tests.bench.bench_start:run",
    "logs": "tests.bench.bench_logs:run",
    "chart": "tests.bench.bench_chart:run",
    "fuel": "tests.bench.bench_fuel:run",
    "fuel_ports": "tests.bench.bench_fuel_ports:run",
    "supply": "tests.bench.bench_supply:run",
    "supply_lists": "tests.bench.bench_supply_lists:run",
    "sync_http": "tests.bench.bench_sync_http:run",
    "webhooks": "tests.bench.bench_webhooks:run",
    "first_sync": "tests.bench.bench_first_sync:run",
    "mod4_pull": "tests.bench.bench_mod4:run",
    "mod4_reads": "tests.bench.bench_mod4_reads:run",
    "mod4_tab": "tests.bench.bench_mod4_tab:run",
    "identity": "tests.bench.bench_identity:run",
    "fuel_year": "tests.bench.bench_fuel_year:run",
    "outbox": "tests.bench.bench_outbox:run",
    "audit": "tests.bench.bench_audit:run",
}


def main(names: list[str]) -> int:
    unknown = [name for name in names if name not in BENCHES]
    if unknown:
        print(f"no benchmark {', '.join(unknown)}; there are: {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")
    for name in names or BENCHES:
        module, _, function = BENCHES[name].partition(":")
        print(f"== {name}", flush=True)
        getattr(importlib.import_module(module), function)()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
