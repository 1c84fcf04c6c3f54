"""Loads one address with `wrk` from a core of its own.

Enters: an address, request bodies, connections, seconds. Leaves: requests per second and latency
percentiles. `wrk` is a Debian package (`make dev`): a Python client would be the bottleneck.
"""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).parent


@dataclass(frozen=True)
class Result:
    """What one run of the load met; latencies in microseconds."""

    requests: int
    per_second: float
    p50: float
    p99: float
    errors: int


def run(
    url: str,
    bodies: Path | None,
    connections: int,
    seconds: float,
    cores: str = "1",
    headers: dict[str, str] | None = None,
) -> Result:
    """POST the lines of `bodies` to `url`, or GET it without; CalledProcessError when wrk fails."""
    script = FOLDER / ("get.lua" if bodies is None else "post.lua")
    command = ["taskset", "-c", cores, "wrk", "-t", "1", "-c", str(connections)]
    command += ["-d", f"{max(1, round(seconds))}s", "-s", str(script)]
    for name, value in (headers or {}).items():
        command += ["-H", f"{name}: {value}"]
    arguments = [] if bodies is None else ["--", str(bodies)]
    output = subprocess.run(
        [*command, url, *arguments], check=True, capture_output=True, text=True
    ).stdout
    line = next(line for line in output.splitlines() if line.startswith("RESULT "))
    found = json.loads(line.removeprefix("RESULT "))
    per_second = found["requests"] / found["microseconds"] * 1e6
    return Result(found["requests"], per_second, found["p50"], found["p99"], found["errors"])
