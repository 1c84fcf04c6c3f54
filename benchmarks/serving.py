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

import psutil

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
            {"BENCH_DATA": ":".join(map(str, bench.data)), "BENCH_VERSION": bench.version},
        ),
    ]  # fmt: skip


def _fastapi(name: str, module: str, port: int, env: dict[str, str]) -> Server:
    command = [
        sys.executable, "-m", "uvicorn", f"benchmarks.peers.{module}:app",
        "--host", servers.HOST, "--port", str(port), "--no-access-log", "--log-level", "warning",
        "--loop", "uvloop", "--http", "httptools",
    ]  # fmt: skip
    return Server(name, command, env, (servers.HOST, port, "/openapi.json"), port)


@contextmanager
def started(server: Server, folder: Path) -> Iterator[tuple[str, psutil.Process]]:
    """The address to load, and the process, while `server` runs."""
    log = folder / f"{server.port}.log"
    with servers.running(server.command, ready=server.ready, log=log, env=server.env) as process:
        yield f"http://{servers.HOST}:{server.port}/v1/predict", process


@dataclass(frozen=True)
class Round:
    """One contender once: load at concurrency 16 and 1, processor time, resident memory."""

    many: load.Result
    one: load.Result
    cpu_microseconds: float
    memory: int


def once(server: Server, bench: Workbench) -> Round:
    """Start, warm up, load, stop."""
    with started(server, bench.folder) as (url, process):
        load.run(url, bench.bodies, 16, 1)
        before = sum(process.cpu_times()[:2])
        many = load.run(url, bench.bodies, 16, bench.seconds)
        cpu = sum(process.cpu_times()[:2]) - before
        one = load.run(url, bench.bodies, 1, bench.seconds / 2)
        return Round(many, one, cpu / many.requests * 1e6, process.memory_info().rss)


def measure(bench: Workbench, report: Report) -> None:
    """Requests per second at concurrency 16, latency at 1, processor time, memory, and ratios."""
    found: dict[str, list[Round]] = {}
    for _ in range(ROUNDS):
        for server in contenders(bench):
            found.setdefault(server.name, []).append(once(server, bench))
    for name, rounds in found.items():
        report.add(GROUP, f"{name}, concurrency 16", _speed(rounds), "req/s")
        report.add(GROUP, f"{name}, processor time of a request", _cpu(rounds), "us")
        for label in ("p50", "p99"):
            value = statistics.median(getattr(one.one, label) for one in rounds)
            report.add(GROUP, f"{name}, concurrency 1, {label}", value, "us")
        memory = statistics.median(one.memory for one in rounds)
        report.add(GROUP, f"{name}, resident memory", memory / 1e6, "MB")
        if errors := sum(one.many.errors + one.one.errors for one in rounds):
            report.note(f"{name}: {errors} requests failed")
    ours, scorer, sklearn = found.values()
    for name, peer, goal in (("our scorer", scorer, 1.3), ("scikit-learn", sklearn, 7)):
        ratio = _speed(ours) / _speed(peer)
        report.add(GROUP, f"requests, ratio to FastAPI with {name}", ratio, "x", at_least=goal)
        ratio = _cpu(peer) / _cpu(ours)
        report.add(GROUP, f"processor time, FastAPI with {name} to ours", ratio, "x")


def _speed(rounds: list[Round]) -> float:
    return statistics.median(one.many.per_second for one in rounds)


def _cpu(rounds: list[Round]) -> float:
    return statistics.median(one.cpu_microseconds for one in rounds)
