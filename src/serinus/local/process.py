"""One operating-system process, and the one HTTP question asked of it.

Enters: a `Command`. Leaves: a `Child` to wait for and to signal. Called by `serinus.local.unit`
through `Machine`, which tests replace together with its clock.
"""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import os
import signal
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from serinus.local.plan import Probe

_PR_SET_PDEATHSIG: Final = 1


@dataclass(frozen=True, slots=True)
class Command:
    """What to start, where it writes its log, and its exact environment."""

    argv: tuple[str, ...]
    env: dict[str, str]
    cwd: str
    log: Path


class Child(Protocol):
    """A started process."""

    @property
    def pid(self) -> int:
        """Its process id, which is also its group's."""
        ...

    async def wait(self) -> int:
        """Wait for its end; the exit code, negative for a signal."""
        ...

    def signal(self, number: int, *, group: bool = False) -> None:
        """Send a signal to it, or to all of its group; one that is gone is no error."""
        ...


class Machine(Protocol):
    """Clock, process constructor and probe."""

    def now(self) -> float:
        """Seconds of a clock that never goes back."""
        ...

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        ...

    async def spawn(self, command: Command) -> Child:
        """Start a process; raises `OSError` when it cannot be started."""
        ...

    async def probe(self, probe: Probe, address: str) -> bool:
        """Ask once; a refusal, a timeout and a status from 400 are no."""
        ...

    async def listens(self, address: str, port: int) -> bool:
        """Whether a connection to that port is accepted."""
        ...


class _Process:
    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        return self._process.pid

    async def wait(self) -> int:
        return await self._process.wait()

    def signal(self, number: int, *, group: bool = False) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if group:
                os.killpg(self.pid, number)
            else:
                self._process.send_signal(number)


class RealMachine:
    """This machine."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)

    def now(self) -> float:
        """Seconds of the monotonic clock."""
        return asyncio.get_running_loop().time()

    async def sleep(self, seconds: float) -> None:
        """Wait."""
        await asyncio.sleep(seconds)

    async def spawn(self, command: Command) -> Child:
        """Start a process in a group of its own, which gets SIGTERM when we are killed."""
        command.log.parent.mkdir(parents=True, exist_ok=True)
        # Appending lets the log be cut while the process writes on.
        log = os.open(command.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            process = await asyncio.create_subprocess_exec(
                *command.argv,
                env=command.env,
                cwd=command.cwd,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                preexec_fn=self._die_with_parent,
            )
        finally:
            os.close(log)
        return _Process(process)

    def _die_with_parent(self) -> None:
        self._libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    async def probe(self, probe: Probe, address: str) -> bool:
        """One HTTP GET."""
        try:
            # Not wait_for: in Python 3.11 it can swallow a cancellation.
            async with asyncio.timeout(probe.timeout):
                return await _get(probe, address)
        except (OSError, TimeoutError, ValueError):
            return False

    async def listens(self, address: str, port: int) -> bool:
        """Connect once, say nothing."""
        try:
            async with asyncio.timeout(1):
                _, writer = await asyncio.open_connection(address, port)
        except (OSError, TimeoutError):
            return False
        writer.close()
        return True


async def _get(probe: Probe, address: str) -> bool:
    host = probe.host or address
    reader, writer = await asyncio.open_connection(host, probe.port)
    try:
        writer.write(
            f"GET {probe.path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: serinus-probe\r\n"
            "Connection: close\r\n\r\n".encode()
        )
        words = (await reader.readline()).split()
        return len(words) > 1 and 200 <= int(words[1]) < 400
    finally:
        writer.close()
