"""Makes what runs follow the plan.

Enters: plans, one after the other. Leaves: a fleet in which each is true. Called by
`serinus.local.daemon`, the background process; `serinus.local.fleet` keeps the processes.
A change goes in this order: files, programs of the platform, new pods until all are ready, Envoy's
clusters and endpoints, its routes, then the old pods stop. A change that doesn't get ready is taken
back, and the plan in force stays in force.
"""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Final

from serinus.errors import LocalRunError
from serinus.local.fleet import Fleet, Publisher, Row
from serinus.local.plan import Plan, Workload, revision
from serinus.local.process import Machine
from serinus.local.unit import Unit
from serinus.local.workspace import Workspace

TAKE_UP: Final = 0.2
"""Seconds in which Envoy has read a file that it watches, many times over."""
PATIENCE: Final = 90.0
"""Seconds that new processes may take to get ready."""
GATEWAY_PATIENCE: Final = 10.0
"""Seconds that Envoy may take to open the gateway's port."""
SUPERSEDED: Final = "another change, or a stop, came in between"
ATTEMPTS: Final = 3
"""Ends of a new process before it counts as failing."""


class Supervisor:
    """Applies plans to the processes of one run, one at a time."""

    def __init__(
        self,
        workspace: Workspace,
        machine: Machine,
        publisher: Publisher,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self._workspace = workspace
        self._machine = machine
        self._fleet = Fleet(machine, publisher, changed)
        self._applying = asyncio.Lock()
        self._changes = 0

    @property
    def plan(self) -> Plan | None:
        """The plan in force."""
        return self._fleet.plan

    def rows(self) -> list[Row]:
        """See `Fleet.rows`."""
        return self._fleet.rows()

    async def wait(self, done: Callable[[], bool], seconds: float) -> bool:
        """See `Fleet.wait`."""
        return await self._fleet.wait(done, seconds)

    async def apply(
        self,
        plan: Plan,
        *,
        base: str = "",
        in_force: Callable[[], None] = lambda: None,
        wait_all: bool = True,
    ) -> None:
        """Make the plan true; `in_force` is called as soon as it is the plan in force.

        `base` is the revision of the plan that this one was made from, when there was one.

        Raises `LocalRunError` with the last lines of its log when a new process doesn't get ready;
        on the first plan the rest then runs on, later the plan in force stays. With `wait_all`,
        processes that the change doesn't touch are awaited too, once the plan is in force. A later
        change, or a stop, ends the waiting of this one.
        """
        mine = self._supersede()
        async with self._applying:
            if mine != self._changes:
                raise LocalRunError(SUPERSEDED)
            if base and self.plan and base != revision(self.plan):
                raise LocalRunError(
                    "the system was changed by another command meanwhile",
                    remedy="run this one again",
                )
            await self._apply(plan, mine, in_force)
            if wait_all:
                await self._await_ready([*self._fleet.pods.values()], mine)

    async def stop(self) -> None:
        """End everything: pods first, then the programs."""
        self._supersede()
        async with self._applying:
            await self._fleet.stop()

    def _supersede(self) -> int:
        """End the waiting of the change at work; the number of the new one."""
        self._changes += 1
        self._fleet.wake()
        return self._changes

    async def _apply(self, plan: Plan, mine: int, in_force: Callable[[], None]) -> None:
        first = self.plan is None
        changed = self._write(plan)
        new, old = self._compare(plan)
        if first:
            self._fleet.plan = plan
            in_force()
            self._fleet.publish()
        begun = await self._run_programs(plan, changed)
        fresh = [self._fleet.create(plan, workload) for workload in new]
        recreated = {item.name for item in plan.workloads if item.recreate}
        early = [unit for unit in old if unit.spec.workload in recreated]
        await self._fleet.retire(early)
        for unit in fresh:
            unit.start()
        begun += fresh
        try:
            await self._await_ready(begun, mine)
        except LocalRunError:
            if not first:
                await self._take_back(fresh)
            raise
        if not first:
            self._fleet.plan = plan
            in_force()
        self._fleet.leave(old)
        await self._await_gateway(plan)
        if fresh and "envoy" in self._fleet.programs:
            # Envoy takes new endpoints up within milliseconds of their file, and tells nobody.
            await self._machine.sleep(TAKE_UP)
        await self._fleet.retire([unit for unit in old if unit not in early])
        await self._stop_programs(plan)

    async def _take_back(self, fresh: list[Unit]) -> None:
        """Undo what a change began: its pods, files and programs."""
        assert self.plan is not None  # noqa: S101
        await self._fleet.retire(fresh)
        await self._run_programs(self.plan, self._write(self.plan))
        await self._stop_programs(self.plan)

    def _write(self, plan: Plan) -> set[str]:
        for directory in plan.directories:
            Path(directory).mkdir(parents=True, exist_ok=True)
        return {
            item.path
            for item in plan.files
            if self._workspace.write(item.path, item.text, item.mode)
        }

    def _compare(self, plan: Plan) -> tuple[list[Workload], list[Unit]]:
        """Workloads of pods to start (one entry per pod), and pods to stop."""
        new: list[Workload] = []
        old = [
            unit
            for unit in self._fleet.pods.values()
            if unit.spec.workload not in {item.name for item in plan.workloads}
        ]
        for workload in plan.workloads:
            digest = workload.template.digest()
            pods = [
                unit for unit in self._fleet.pods.values() if unit.spec.workload == workload.name
            ]
            same = [unit for unit in pods if unit.spec.digest == digest]
            old += [unit for unit in pods if unit.spec.digest != digest]
            old += same[workload.replicas :]
            new += [workload] * (workload.replicas - len(same))
        return new, old

    async def _run_programs(self, plan: Plan, changed: set[str]) -> list[Unit]:
        begun = []
        for item in plan.daemons:
            present = self._fleet.programs.get(item.name)
            if present:
                before, unit = present
                if before == item and not changed.intersection(item.files):
                    if changed.intersection(item.reload_files):
                        unit.signal(signal.SIGHUP)
                    continue
                await unit.stop()
            begun.append(self._fleet.run(plan, item))
        return begun

    async def _stop_programs(self, plan: Plan) -> None:
        kept = {item.name for item in plan.daemons}
        for name in [name for name in self._fleet.programs if name not in kept]:
            await self._fleet.programs.pop(name)[1].stop()

    async def _await_ready(self, units: list[Unit], mine: int) -> None:
        # A process that ran well before may crash as often again before it counts as failing.
        allowed = {unit: ATTEMPTS + unit.restarts * unit.was_ready for unit in units}

        def failing() -> list[Unit]:
            return [unit for unit in late() if unit.restarts >= allowed[unit]]

        def late() -> list[Unit]:
            return [unit for unit in units if unit.state != "ready"]

        def decided() -> bool:
            return bool(failing()) or not late() or mine != self._changes

        if await self._fleet.wait(decided, PATIENCE) and not late():
            return
        if mine != self._changes:
            raise LocalRunError(SUPERSEDED)
        found = failing() or late()
        raise LocalRunError(
            "did not get ready: "
            + (found[0].failure or f"its readiness probe failed for {PATIENCE:.0f} s")
            + "\n"
            + tail(Path(found[0].spec.log), 15, found[0].log_start),
            where=", ".join(sorted({label(unit) for unit in found})),
            remedy=f"the whole log: serinus logs {label(found[0])}",
        )

    async def _await_gateway(self, plan: Plan) -> None:
        """Wait until Envoy has opened the gateway's port; it follows its files by itself."""
        until = self._machine.now() + GATEWAY_PATIENCE
        for address in plan.gateway.addresses if "envoy" in self._fleet.programs else ():
            while not await self._machine.listens(address, plan.gateway.port):
                if self._machine.now() >= until:
                    raise LocalRunError(
                        "the gateway does not listen\n"
                        + tail(self._workspace.path("logs", "envoy.log"), 15),
                        where=f"{address}:{plan.gateway.port}",
                        remedy="the whole log: serinus logs envoy",
                    )
                await self._machine.sleep(0.01)


def label(unit: Unit) -> str:
    """How `serinus logs` names it."""
    return f"{unit.spec.app}/{unit.spec.track}" if unit.spec.app else unit.spec.name


def tail(path: Path, lines: int, start: int = 0) -> str:
    """The last lines of a log, from the byte `start` on; empty when there is none."""
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            file.seek(max(start if start <= size else 0, size - 65_536))
            return "\n".join(file.read().decode(errors="replace").splitlines()[-lines:])
    except FileNotFoundError:
        return ""
