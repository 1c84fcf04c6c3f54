"""model-service against FastAPI on uvicorn, with the scikit-learn pipeline and with our scorer.

The server has core 0, the load core 1. Ours runs as deployed, with metrics and access log; the
peers run without either, in their favour.
"""

from __future__ import annotations

import statistics
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks import load, servers
from benchmarks.report import Report
from benchmarks.workbench import Workbench
from serinus.clients import registry

GROUP = "model-service, POST /v1/predict"
ROUNDS = 3
"""Servers take turns, so that a busy moment of the machine hits all of them; medians are shown."""


@dataclass(frozen=True)
class Server:
    """One contender."""

    name: str
    command: list[str]
    env: dict[str, str]
    ready: tuple[str, int, str]
    port: int


def contenders(bench: Workbench) -> list[Server]:
    """Ours and the peers, not started."""
    command, env = servers.model_service(bench.registry, bench.folder / "cache", bench.version)
    ports = {"SERINUS_HTTP_PORT": "8101", "SERINUS_METRICS_PORT": "8102"}
    ours = Server("model-service", command, env | ports, (servers.HOST, 8102, "/readyz"), 8101)
    artifact = registry.fetch(
        str(bench.registry), "reviews", bench.version, bench.folder / "cache"
    ).folder
    return [
        ours,
        _fastapi("FastAPI, our scorer", "fastapi_scorer", 8103, {"BENCH_ARTIFACT": str(artifact)}),
        _fastapi(
            "FastAPI, scikit-learn", "fastapi_sklearn", 8104,
            {"BENCH_DATA": ":".join(map(str, bench.data))},
        ),
    ]  # fmt: skip


def _fastapi(name: str, module: str, port: int, env: dict[str, str]) -> Server:
    command = [
        sys.executable, "-m", "uvicorn", f"benchmarks.peers.{module}:app", "--host", servers.HOST,
        "--port", str(port), "--no-access-log", "--log-level", "warning", "--loop", "uvloop",
    ]  # fmt: skip
    return Server(name, command, env, (servers.HOST, port, "/openapi.json"), port)


@contextmanager
def started(server: Server, folder: Path) -> Iterator[str]:
    """The address to load while `server` runs."""
    log = folder / f"{server.port}.log"
    with servers.running(server.command, ready=server.ready, log=log, env=server.env):
        yield f"http://{servers.HOST}:{server.port}/v1/predict"


def measure(bench: Workbench, report: Report) -> None:
    """Requests per second at concurrency 16, latency at 1, resident memory, and ratios."""
    found: dict[str, list[tuple[load.Result, load.Result]]] = {}
    for _ in range(ROUNDS):
        for server in contenders(bench):
            with started(server, bench.folder) as url:
                load.run(url, bench.bodies, 16, 1)  # warms up
                many = load.run(url, bench.bodies, 16, bench.seconds)
                one = load.run(url, bench.bodies, 1, bench.seconds / 2)
            found.setdefault(server.name, []).append((many, one))
    speed = {}
    for name, rounds in found.items():
        speed[name] = statistics.median(many.per_second for many, _ in rounds)
        report.add(GROUP, f"{name}, concurrency 16", speed[name], "req/s")
        for label in ("p50", "p99"):
            value = statistics.median(getattr(one, label) for _, one in rounds)
            report.add(GROUP, f"{name}, concurrency 1, {label}", value, "us")
        if errors := sum(many.errors + one.errors for many, one in rounds):
            report.note(f"{name}: {errors} requests failed")
    ours, scorer, sklearn = speed.values()
    report.add(GROUP, "ratio to FastAPI with our scorer", ours / scorer, "x", at_least=1.3)
    report.add(GROUP, "ratio to FastAPI with scikit-learn", ours / sklearn, "x", at_least=7)
