"""One supervised process: started, probed, restarted with back-off, stopped.

Enters: a `Spec` and a `Machine`. Leaves: its state, and a call of `changed` at each change. Called
by `serinus.local.fleet`. States: pending, starting, ready, unready, waiting (to be restarted),
stopping, stopped.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, Literal

from msgspec import Struct

from serinus.local.plan import Probe
from serinus.local.process import Child, Command, Machine

State = Literal["pending", "starting", "ready", "unready", "waiting", "stopping", "stopped"]

BACK_OFF: Final = (0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
"""Seconds before each restart in a row; the last one repeats."""
STEADY: Final = 10.0
"""Seconds of running after which the back-off begins anew."""
EAGER: Final = 0.05
"""Seconds between probes until the first success, whatever the period: starts are frequent here."""


class Spec(Struct, frozen=True, kw_only=True):
    """What a unit runs. `workload` is empty for a program of the platform."""

    name: str
    argv: tuple[str, ...]
    env: dict[str, str]
    log: str
    cwd: str = "/"
    workload: str = ""
    app: str = ""
    track: str = ""
    address: str = ""
    digest: str = ""
    readiness: Probe | None = None
    liveness: Probe | None = None
    startup: Probe | None = None
    grace: float = 30.0
    directories: tuple[str, ...] = ()


class Unit:
    """A process that is kept running until `stop`."""

    def __init__(self, spec: Spec, machine: Machine, changed: Callable[[], None]) -> None:
        self.spec = spec
        self.state: State = "pending"
        self.restarts = 0
        self.exit_code: int | None = None
        self.was_ready = False
        self.failure = ""
        self.log_start = 0
        self._machine = machine
        self._changed = changed
        self._child: Child | None = None
        self._stop = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int | None:
        """Its process id while it runs."""
        return self._child.pid if self._child else None

    def start(self) -> None:
        """Begin to keep it running; what its log holds by now is of an earlier run."""
        with contextlib.suppress(FileNotFoundError):
            self.log_start = os.path.getsize(self.spec.log)  # noqa: PTH202
        self._task = asyncio.create_task(self._keep(), name=f"unit {self.spec.name}")

    def signal(self, number: int) -> None:
        """Send a signal to the process, if it runs."""
        if self._child:
            self._child.signal(number)

    async def stop(self) -> None:
        """End it: SIGTERM, and SIGKILL to its whole group after its grace period."""
        self._stop.set()
        self._set("stopping" if self._child else "stopped")
        if self._task:
            await asyncio.gather(self._task, return_exceptions=True)
        self._set("stopped")
        for directory in self.spec.directories:
            shutil.rmtree(directory, ignore_errors=True)

    def _set(self, state: State) -> None:
        if state != self.state:
            self.state = state
            self.was_ready = self.was_ready or state == "ready"
            self._changed()

    async def _keep(self) -> None:
        in_a_row = 0
        while not self._stop.is_set():
            began = self._machine.now()
            await self._once()
            if self._stop.is_set():
                break
            if self._machine.now() - began >= STEADY:
                in_a_row = 0
            self.restarts += 1
            self._set("waiting")
            delay = BACK_OFF[min(in_a_row, len(BACK_OFF) - 1)]
            in_a_row += 1
            if delay:
                await self._first(self._machine.sleep(delay))

    async def _first(self, other: Awaitable[object]) -> None:
        """Wait for the stop or for `other`, whichever comes first."""
        stop: asyncio.Future[object] = asyncio.ensure_future(self._stop.wait())
        tasks = [asyncio.ensure_future(other), stop]
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in tasks:
            task.cancel()

    async def _once(self) -> None:
        spec = self.spec
        for directory in spec.directories:
            os.makedirs(directory, exist_ok=True)  # noqa: PTH103
        try:
            child = await self._machine.spawn(
                Command(spec.argv, spec.env, spec.cwd, Path(spec.log))
            )
        except OSError as error:
            self.failure = f"cannot be started: {error.strerror} ({spec.argv[0]})"
            self.exit_code = None
            return
        self._child = child
        self._set("starting")
        self._changed()  # the process id is new even when the state is not
        probing = asyncio.create_task(self._probe(child))
        ended = asyncio.create_task(child.wait())
        try:
            await self._first(asyncio.shield(ended))
            if self._stop.is_set() and not ended.done():
                await self._end(child, ended)
            self.exit_code = await ended
            self.failure = _told(self.exit_code)
        finally:
            probing.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await probing
            # What it started itself must not outlive it and hold its ports.
            child.signal(signal.SIGKILL, group=True)
            self._child = None

    async def _end(self, child: Child, ended: asyncio.Task[int]) -> None:
        child.signal(signal.SIGTERM)
        patience = asyncio.ensure_future(self._machine.sleep(self.spec.grace))
        await asyncio.wait([patience, ended], return_when=asyncio.FIRST_COMPLETED)
        patience.cancel()
        if not ended.done():
            child.signal(signal.SIGKILL, group=True)
            await ended

    async def _probe(self, child: Child) -> None:
        spec, machine = self.spec, self._machine
        if spec.startup and not await self._started(spec.startup):
            self.failure = "its startup probe kept failing"
            child.signal(signal.SIGKILL, group=True)
            return
        await asyncio.gather(self._watch_readiness(), self._watch_liveness(child, machine))

    async def _started(self, probe: Probe) -> bool:
        until = self._machine.now() + probe.initial_delay + probe.period * probe.failures
        while not await self._machine.probe(probe, self.spec.address):
            if self._machine.now() >= until:
                return False
            await self._machine.sleep(min(EAGER, probe.period))
        return True

    async def _watch_readiness(self) -> None:
        probe = self.spec.readiness
        if probe is None:
            self._set("ready")
            return
        failures = successes = 0
        while True:
            if await self._machine.probe(probe, self.spec.address):
                failures, successes = 0, successes + 1
                if successes >= probe.successes:
                    self._set("ready")
            else:
                failures, successes = failures + 1, 0
                if self.state == "ready" and failures >= probe.failures:
                    self._set("unready")
            settled = self.state == "ready"
            await self._machine.sleep(probe.period if settled else min(EAGER, probe.period))

    async def _watch_liveness(self, child: Child, machine: Machine) -> None:
        probe = self.spec.liveness
        if probe is None:
            return
        await machine.sleep(max(probe.initial_delay, probe.period))
        failures = 0
        while failures < probe.failures:
            failures = 0 if await machine.probe(probe, self.spec.address) else failures + 1
            if failures < probe.failures:
                await machine.sleep(probe.period)
        self.failure = "its liveness probe kept failing"
        child.signal(signal.SIGKILL, group=True)


def _told(code: int) -> str:
    if code >= 0:
        return f"ended with exit code {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:
        return f"was ended by signal {-code}"
