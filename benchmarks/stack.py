"""What the layers of model-service cost: Starlette's routing, a bare ASGI handler, granian's RSGI.

The three serve the same prediction without limits, metrics and logs; model-service as deployed
stands beside them.
"""

from __future__ import annotations

import statistics
import sys

from benchmarks import servers
from benchmarks.report import Report
from benchmarks.serving import Round, Server, contenders, once
from benchmarks.workbench import Workbench

GROUP = "Layers of model-service, concurrency 16"
ROUNDS = 3
NAMES = {
    "rsgi": "RSGI handler, nothing else",
    "asgi": "ASGI handler, nothing else",
    "starlette": "Starlette's routing and requests, nothing else",
}


def measure(bench: Workbench, report: Report) -> None:
    """Requests per second of each."""
    servers_ = [contenders(bench)[0]]
    env = {"BENCH_ARTIFACT": str(bench.folder / "artifact")}
    for port, (variant, name) in enumerate(NAMES.items(), start=8111):
        command = [sys.executable, "-m", "benchmarks.peers.stack", variant, str(port)]
        servers_.append(Server(name, command, env, (servers.HOST, port, "/ready"), port))
    found: dict[str, list[Round]] = {}
    for _ in range(ROUNDS):
        for server in servers_:
            found.setdefault(server.name, []).append(once(server, bench))
    for name, rounds in found.items():
        speed = statistics.median(one.many.per_second for one in rounds)
        report.add(GROUP, name, speed, "req/s")
        cpu = statistics.median(one.cpu_microseconds for one in rounds)
        report.add(GROUP, f"{name}, processor time", cpu, "us")
