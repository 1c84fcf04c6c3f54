"""Starts servers for a benchmark, pinned to a core, and ends them.

Enters: a command and its environment. Leaves: a running process that answers on its address.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import psutil

ROOT = Path(__file__).parent.parent
HOST = "127.209.0.1"
"""A loopback address of the benchmarks' own, so that they disturb no running system."""


class ServerFailedError(RuntimeError):
    """A server ended, or did not get ready."""


@contextmanager
def running(
    command: Sequence[str],
    *,
    ready: tuple[str, int, str],
    log: Path,
    env: dict[str, str] | None = None,
    cores: str = "0",
) -> Iterator[psutil.Process]:
    """Run `command` on `cores` until the block ends; `ready` is host, port and path that answer."""
    with log.open("wb") as output:
        process = subprocess.Popen(
            ["taskset", "-c", cores, *command],
            env=os.environ | (env or {}),
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
        )
    try:
        _wait(process, ready, log)
        yield psutil.Process(process.pid)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: subprocess.Popen[bytes], ready: tuple[str, int, str], log: Path) -> None:
    host, port, path = ready
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise ServerFailedError(f"the server ended:\n{log.read_text()[-2000:]}")
        connection = HTTPConnection(host, port, timeout=2)
        try:
            connection.request("GET", path)
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.02)
    raise ServerFailedError(f"the server is not ready after 60 s:\n{log.read_text()[-2000:]}")


def model_service(registry: Path, cache: Path, version: str) -> tuple[list[str], dict[str, str]]:
    """Command and environment of our model-service, as it is deployed: with metrics and logs."""
    env = {
        "SERINUS_APP": "model-service", "SERINUS_TRACK": "stable", "SERINUS_HOST": HOST,
        "MODEL_NAME": "reviews", "MODEL_VERSION": version,
        "MODEL_REGISTRY": str(registry), "MODEL_CACHE": str(cache),
    }  # fmt: skip
    return [sys.executable, "-m", "serinus.services.model_service"], env
