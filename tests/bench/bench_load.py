"""A fleet's steady load: 2,000 GT02 sockets of another process, 1,000 frames/s, on a real gateway.

Targets: 0 lost, 0 doubled, heartbeat reply p99 < 250 ms (it is sent after the commit of all that came before), gateway
below 150 MB. Baseline: a bare uvloop server that answers heartbeats and stores nothing, under the same load.
"""

from __future__ import annotations

import os

from tests.bench.common import percentile, report, rss_mb, scratch, unmet
from tests.bench.depots import compare, echo_server, know_fleet
from tests.bench.sender import Order, Sent, send, sent_by
from tests.helpers.depot import Depot, Gateway

SECONDS = float(os.environ.get("BIKO_BENCH_LOAD_S", "60"))
BASELINE_S = 10.0
SOCKETS = 2_000


def run() -> None:
    with echo_server() as port:
        bare = _sent(Order(port, SOCKETS, seconds=BASELINE_S))
    with scratch() as folder, Depot(folder) as depot:
        integration_id, port = depot.add_trackers()
        know_fleet(depot.store, integration_id, SOCKETS)
        with Gateway(depot) as gateway:
            gateway.wait_ready()
            ours = _sent(Order(port, SOCKETS, seconds=SECONDS))
            memory_mb = rss_mb(gateway.process.pid, peak=True)
            cpu_s = _cpu_s(gateway.process.pid)
            gateway.say("stop")
            gateway.ended(15)
        lost, doubled = compare(depot.store, ours.fixes)
    report("fixes sent", [float(sum(ours.fixes))], f"in {ours.seconds:.0f} s")
    report("lost", [float(lost)], "", target="0")
    report("doubled", [float(doubled)], "", target="0")
    report("connections broken", [float(ours.broken)], "", target="0")
    p99 = percentile(ours.answers_ms, 99)
    report("heartbeat reply, median", [percentile(ours.answers_ms, 50)], "ms")
    report("heartbeat reply, p99", [p99], "ms", target="< 250")
    report("  baseline without a store, median", [percentile(bare.answers_ms, 50)], "ms")
    report("  baseline without a store, p99", [percentile(bare.answers_ms, 99)], "ms")
    print(f"  ratio of the p99 {p99 / percentile(bare.answers_ms, 99):.1f}")
    report("gateway's greatest memory", [memory_mb], "MB", target="< 150")
    report("gateway's CPU", [100 * cpu_s / ours.seconds], "% of one core")


def _sent(order: Order) -> Sent:
    sent = sent_by(send(order), order.seconds + 120)
    if sent.behind_s > 0.5:
        raise unmet(f"the sender fell {sent.behind_s:.1f} s behind: the machine is too busy for this figure")
    return sent


def _cpu_s(pid: int) -> float:
    """Seconds of CPU a running process has used, 0 where the system does not say."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            fields = stat.read().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
