"""The whole system: three services with and without the mesh, its warm start, its memory.

Nothing is pinned here: the load shares the cores with all processes. A chain is one request to
app-frontend that asks app-service, which asks model-service (GET /version), and one review
(POST /v1/reviews to app-service, which asks model-service and writes durably to SQLite).
"""

from __future__ import annotations

import json
import os
import secrets
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

from benchmarks import load, servers
from benchmarks.report import Report
from benchmarks.workbench import Workbench

CHAIN = "The chain of three services"
START = "serinus up, warm"
MEMORY = "Resident memory of the running system"
PORT = 18_099
ROUNDS = 3
ALL_CORES = f"0-{(os.cpu_count() or 1) - 1}"


@dataclass(frozen=True)
class Entrance:
    """Where requests go in, and the headers that lead there."""

    frontend: str
    api: str
    frontend_headers: dict[str, str]
    api_headers: dict[str, str]
    processes: list[psutil.Process]

    def processor_seconds(self) -> float:
        """Processor time of all processes so far."""
        return sum(sum(process.cpu_times()[:2]) for process in self.processes)


@contextmanager
def direct(bench: Workbench) -> Iterator[Entrance]:
    """The three services alone, each calling the next at its own address."""
    hosts = {"model": "127.209.1.1", "service": "127.209.1.2", "frontend": "127.209.1.3"}
    common = {"SERINUS_TRACK": "stable"}
    environments = {
        "model": {
            "MODEL_NAME": "reviews", "MODEL_VERSION": bench.version,
            "MODEL_REGISTRY": str(bench.registry), "MODEL_CACHE": str(bench.folder / "cache"),
        },
        "service": {
            "UNIT_KEY": secrets.token_hex(16),
            "SERINUS_DATA_DIR": str(bench.folder / "store"),
            "MODEL_SERVICE_URL": f"http://{hosts['model']}:8080",
        },
        "frontend": {
            "SESSION_KEY": secrets.token_hex(16),
            "APP_SERVICE_URL": f"http://{hosts['service']}:8080",
        },
    }  # fmt: skip
    modules = {"model": "model_service", "service": "app_service", "frontend": "app_frontend"}
    (bench.folder / "store").mkdir(exist_ok=True)
    processes: list[psutil.Process] = []
    with ExitStack() as stack:
        for part, own in environments.items():
            module = modules[part]
            env = common | own | {
                "SERINUS_APP": module.replace("_", "-"), "SERINUS_HOST": hosts[part]
            }  # fmt: skip
            process = stack.enter_context(
                servers.running(
                    [sys.executable, "-m", f"serinus.services.{module}"],
                    ready=(hosts[part], 9090, "/readyz"), log=bench.folder / f"{part}.log",
                    env=env, cores=ALL_CORES,
                )
            )  # fmt: skip
            processes.append(process)
        yield Entrance(
            f"http://{hosts['frontend']}:8080",
            f"http://{hosts['service']}:8080",
            {}, {}, processes,
        )  # fmt: skip


class System:
    """`serinus up` in a state directory of its own, without the rate limit."""

    def __init__(self, bench: Workbench) -> None:
        self._state = ["--state", str(bench.folder / "system")]

    def up(self) -> float:
        """Start everything; seconds until the command has returned, all ready."""
        started = time.perf_counter()
        self._run("up", "--port", str(PORT), "--set", "gateway.rateLimit.enabled=false")
        return time.perf_counter() - started

    def down(self) -> None:
        """Stop everything."""
        self._run("down")

    def pids(self) -> list[tuple[str, int]]:
        """Name and process id of everything that runs."""
        rows = json.loads(self._run("status", "--json"))
        rows = rows["processes"] if isinstance(rows, dict) else rows
        return [(row["name"], row["pid"]) for row in rows]

    def _run(self, command: str, *arguments: str) -> str:
        done = subprocess.run(
            [str(Path(sys.executable).with_name("serinus")), command, *self._state, *arguments],
            capture_output=True, text=True, cwd=servers.ROOT, check=False,
        )  # fmt: skip
        if done.returncode != 0:
            raise servers.ServerFailedError(f"serinus {command}:\n{done.stdout}{done.stderr}")
        return done.stdout

    @property
    def entrance(self) -> Entrance:
        """The gateway, on the stable track all the way."""
        gateway = f"http://127.0.0.1:{PORT}"
        return Entrance(
            gateway, gateway,
            {"Host": "app-frontend.localhost", "Cookie": "app-version=stable"},
            {"Host": "app-service.localhost"},
            [psutil.Process(pid) for _, pid in self.pids()],
        )  # fmt: skip


def measure(bench: Workbench, report: Report) -> None:
    """Warm start, memory, and the chain with and without the mesh."""
    system = System(bench)
    try:
        system.up()  # trains the models and fills the caches
        system.down()
        starts = []
        for _ in range(ROUNDS):
            starts.append(system.up())
            system.down()
        report.add(START, "seconds until all are ready", statistics.median(starts), "s", at_most=5)
        system.up()
        meshed = _chain(bench, system.entrance, report, "through gateway and mesh")
        _memory(system, report)
    finally:
        system.down()
    with direct(bench) as entrance:
        alone = _chain(bench, entrance, report, "called directly")
    report.add(
        CHAIN, "GET /version, directly, concurrency 16", alone[1].per_second, "req/s",
        at_least=2000,
    )  # fmt: skip
    added = (meshed[0].p50 - alone[0].p50) / 1000
    report.add(CHAIN, "the mesh adds to p50, concurrency 1", added, "ms", at_most=0.6)


def _chain(
    bench: Workbench, entrance: Entrance, report: Report, how: str
) -> tuple[load.Result, load.Result]:
    """The chain's figures; returns GET /version at concurrency 1 and 16."""
    version = f"{entrance.frontend}/version"
    reviews = f"{entrance.api}/v1/reviews"
    found = {}
    for name, url, bodies, headers in (
        ("GET /version", version, None, entrance.frontend_headers),
        ("POST /v1/reviews", reviews, bench.bodies, entrance.api_headers),
    ):
        load.run(url, bodies, 16, 1, ALL_CORES, headers)  # warms up
        one = load.run(url, bodies, 1, bench.seconds, ALL_CORES, headers)
        before = entrance.processor_seconds()
        many = load.run(url, bodies, 16, bench.seconds, ALL_CORES, headers)
        cpu = (entrance.processor_seconds() - before) / many.requests * 1e6
        report.add(CHAIN, f"{name} {how}, concurrency 1, p50", one.p50, "us")
        report.add(CHAIN, f"{name} {how}, concurrency 16", many.per_second, "req/s")
        report.add(CHAIN, f"{name} {how}, processor time of all", cpu, "us")
        if errors := one.errors + many.errors:
            report.note(f"{errors} of {one.requests + many.requests} requests failed")
        found[name] = (one, many)
    return found["GET /version"]


def _memory(system: System, report: Report) -> None:
    total = 0
    for name, pid in system.pids():
        memory = psutil.Process(pid).memory_info().rss
        total += memory
        report.add(MEMORY, name, memory / 1e6, "MB")
    report.add(MEMORY, "together", total / 1e6, "MB")
