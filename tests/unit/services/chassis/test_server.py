"""A real process made by the chassis: both ports, headers, metrics, graceful stop."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import textwrap
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.error import HTTPError

import pytest
from tests.support.process import until_said

SERVICE = """
    import asyncio, sys
    from contextlib import asynccontextmanager
    from starlette.applications import Starlette
    from starlette.responses import PlainTextResponse
    from starlette.routing import Route
    from serinus.services.chassis.server import run
    from serinus.services.chassis.settings import ServiceSettings

    gate = asyncio.Event()

    async def hello(request):
        return PlainTextResponse("hello " + request.path_params["name"])

    async def held(request):
        print("held", flush=True)
        await gate.wait()
        return PlainTextResponse("finished")

    async def release_once_stopping(health):
        while not health.stopping:
            await asyncio.sleep(0.01)
        gate.set()

    @asynccontextmanager
    async def build(chassis):
        chassis.telemetry.expect_callers("app-frontend")
        chassis.health.add("lamp", lambda: None)
        task = asyncio.create_task(release_once_stopping(chassis.health))
        yield Starlette(routes=[Route("/hello/{name}", hello), Route("/held", held)])
        await task

    sys.exit(run(ServiceSettings, build))
"""


class Process:
    def __init__(self, folder: Path, host: str) -> None:
        script = folder / "service.py"
        script.write_text(textwrap.dedent(SERVICE))
        self.host = host
        self.popen = subprocess.Popen(
            [sys.executable, script],
            env=os.environ
            | {"SERINUS_APP": "app-service", "SERINUS_TRACK": "canary", "SERINUS_HOST": host},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        until_said(self.popen.stdout, "serving")

    def get(self, path: str, port: int = 8080, **headers: str) -> tuple[int, dict[str, str], str]:
        request = urllib.request.Request(
            f"http://{self.host}:{port}{path}",
            headers={name.replace("_", "-"): value for name, value in headers.items()},
        )
        try:
            with urllib.request.urlopen(request, timeout=10) as answer:
                return answer.status, dict(answer.headers), answer.read().decode()
        except HTTPError as error:
            with error:
                return error.code, dict(error.headers), error.read().decode()


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    # The process id keeps parallel test workers on addresses of their own.
    made = Process(tmp_path, f"127.201.{os.getpid() % 250}.{1 + os.getpid() // 250 % 250}")
    yield made
    made.popen.kill()
    made.popen.communicate()


def test_requests_are_identified_and_counted(process: Process) -> None:
    status, headers, body = process.get("/hello/ada", x_caller="app-frontend/stable")
    assert (status, body) == (200, "hello ada")
    assert headers["x-served-by"] == "app-service/canary"
    assert len(headers["x-request-id"]) == 32
    metrics = process.get("/metrics", 9090)[2]
    assert 'route="/hello/{name}",track="canary"} 1.0' in metrics
    labels = 'app="app-service",caller="app-frontend",track="canary"'
    assert f"serinus_mixed_track_requests_total{{{labels}}} 1.0" in metrics


def test_metrics_and_health_are_on_the_second_port_only(process: Process) -> None:
    assert process.get("/metrics")[0] == 404
    assert process.get("/livez", 9090)[0] == 200
    status, _, body = process.get("/readyz", 9090)
    assert (status, json.loads(body)["status"]) == (200, "ready")
    assert process.get("/elsewhere", 9090)[0] == 404


def test_a_stop_finishes_what_is_in_flight(process: Process) -> None:
    answers: list[str] = []
    caller = threading.Thread(target=lambda: answers.append(process.get("/held")[2]))
    caller.start()
    until_said(process.popen.stdout, "held")
    process.popen.send_signal(signal.SIGTERM)
    caller.join(timeout=10)
    assert answers == ["finished"]
    assert process.popen.wait(timeout=10) == 0


def test_a_taken_port_is_named(tmp_path: Path, process: Process) -> None:
    with socket.create_connection((process.host, 8080)):
        second = subprocess.run(
            [sys.executable, tmp_path / "service.py"],
            env=os.environ
            | {
                "SERINUS_APP": "app-service",
                "SERINUS_TRACK": "canary",
                "SERINUS_HOST": process.host,
            },
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert second.returncode == 1
    assert f"cannot listen on {process.host}:9090" in second.stderr
