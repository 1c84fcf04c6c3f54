"""Keeps the processes of one run as the plan says.

Enters: plans, one after the other. Leaves: running processes, Envoy's files (through a
`Publisher`), and rows for the live table. Called by `serinus.local.daemon`, the background process.
A change goes in this order: files, programs of the platform, new pods until all are ready, Envoy's
clusters and endpoints, its routes, then the old pods stop. A change that doesn't get ready is taken
back, and the plan in force stays in force.
"""

from __future__ import annotations

import asyncio
import logging
import signal
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Literal, Protocol

from msgspec import Struct

from serinus.errors import LocalRunError
from serinus.local.addresses import Pool
from serinus.local.plan import (
    POD_DIR,
    POD_IP,
    POD_NAME,
    Daemon,
    Plan,
    Template,
    Workload,
    revision,
)
from serinus.local.process import Machine
from serinus.local.unit import Spec, State, Unit
from serinus.local.workspace import RUN_VARIABLE, Workspace

_LOG = logging.getLogger(__name__)

DRAIN: Final = 1.0
"""Seconds between a pod's leaving Envoy's endpoints and its SIGTERM."""
TAKE_UP: Final = 0.2
"""Seconds in which Envoy has read a file that it watches, many times over."""
PATIENCE: Final = 90.0
"""Seconds that new processes may take to get ready."""
GATEWAY_PATIENCE: Final = 10.0
"""Seconds that Envoy may take to open the gateway's port."""
SUPERSEDED: Final = "another change, or a stop, came in between"
ATTEMPTS: Final = 3
"""Ends of a new process before it counts as failing."""


class Endpoint(Struct, frozen=True):
    """A pod that Envoy may send requests to."""

    workload: str
    address: str
    labels: dict[str, str]
    ports: dict[str, int]


class Publisher(Protocol):
    """Writes Envoy's files."""

    def publish(self, plan: Plan, endpoints: tuple[Endpoint, ...]) -> None:
        """Make Envoy route as the plan says, to these pods."""
        ...


class Row(Struct, frozen=True):
    """One line of the live table; `kind` is `pod` or `program`."""

    name: str
    kind: Literal["pod", "program"]
    workload: str
    app: str
    track: str
    pid: int | None
    state: State
    restarts: int
    address: str
    failure: str


class Supervisor:
    """All processes of one run."""

    def __init__(
        self,
        workspace: Workspace,
        machine: Machine,
        publisher: Publisher,
        changed: Callable[[], None] = lambda: None,
    ) -> None:
        self.plan: Plan | None = None
        self._workspace = workspace
        self._machine = machine
        self._publisher = publisher
        self._observer = changed
        self._pods: dict[str, Unit] = {}
        self._programs: dict[str, tuple[Daemon, Unit]] = {}
        self._leaving: set[str] = set()
        self._applying = asyncio.Lock()
        self._changes = 0
        self._bell = asyncio.Event()
        self._published: tuple[int, tuple[Endpoint, ...]] | None = None

    def rows(self) -> list[Row]:
        """The live table: programs, then pods."""
        programs = [_row(unit, "program") for _, unit in self._programs.values()]
        return programs + [_row(unit, "pod") for unit in self._pods.values()]

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
                await self._await_ready([*self._pods.values()], mine)

    async def stop(self) -> None:
        """End everything: pods first, then the programs."""
        self._supersede()
        async with self._applying:
            await asyncio.gather(*(unit.stop() for unit in self._pods.values()))
            await asyncio.gather(*(unit.stop() for _, unit in self._programs.values()))

    def _supersede(self) -> int:
        """End the waiting of the change at work; the number of the new one."""
        self._changes += 1
        bell, self._bell = self._bell, asyncio.Event()
        bell.set()
        return self._changes

    async def wait(self, done: Callable[[], bool], seconds: float) -> bool:
        """Wait until `done`, asked at each change of a process; tells whether it came true."""
        until = self._machine.now() + seconds
        while not done():
            left = until - self._machine.now()
            bell = self._bell
            if left <= 0:
                return False
            patience = asyncio.ensure_future(self._machine.sleep(left))
            heard = asyncio.ensure_future(bell.wait())
            await asyncio.wait([patience, heard], return_when=asyncio.FIRST_COMPLETED)
            patience.cancel()
            heard.cancel()
        return True

    async def _apply(self, plan: Plan, mine: int, in_force: Callable[[], None]) -> None:
        first = self.plan is None
        changed = self._write(plan)
        new, old = self._compare(plan)
        if first:
            self.plan = plan
            in_force()
            self._publish()
        begun = await self._run_programs(plan, changed)
        fresh = [self._create(plan, workload) for workload in new]
        recreated = {item.name for item in plan.workloads if item.recreate}
        early = [unit for unit in old if unit.spec.workload in recreated]
        await self._retire(early)
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
            self.plan = plan
            in_force()
        self._leaving |= {unit.spec.name for unit in old}
        self._publish()
        await self._await_gateway(plan)
        if fresh and "envoy" in self._programs:
            # Envoy takes new endpoints up within milliseconds of their file, and tells nobody.
            await self._machine.sleep(TAKE_UP)
        await self._retire([unit for unit in old if unit not in early])
        await self._stop_programs(plan)

    async def _take_back(self, fresh: list[Unit]) -> None:
        """Undo what a change began: its pods, files and programs."""
        assert self.plan is not None  # noqa: S101
        await self._retire(fresh)
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
            for unit in self._pods.values()
            if unit.spec.workload not in {item.name for item in plan.workloads}
        ]
        for workload in plan.workloads:
            digest = workload.template.digest()
            pods = [unit for unit in self._pods.values() if unit.spec.workload == workload.name]
            same = [unit for unit in pods if unit.spec.digest == digest]
            old += [unit for unit in pods if unit.spec.digest != digest]
            old += same[workload.replicas :]
            new += [workload] * (workload.replicas - len(same))
        return new, old

    def _create(self, plan: Plan, workload: Workload) -> Unit:
        number = 0
        digest = workload.template.digest()
        while (name := f"{workload.name}-{digest[:5]}-{number}") in self._pods:
            number += 1
        pool = Pool(plan.block, lambda: (unit.spec.address for unit in self._pods.values()))
        spec = pod(plan, workload, name, pool.next())
        unit = Unit(spec, self._machine, self._ring)
        self._pods[name] = unit
        return unit

    async def _run_programs(self, plan: Plan, changed: set[str]) -> list[Unit]:
        begun = []
        for item in plan.daemons:
            present = self._programs.get(item.name)
            if present:
                before, unit = present
                if before == item and not changed.intersection(item.files):
                    if changed.intersection(item.reload_files):
                        unit.signal(signal.SIGHUP)
                    continue
                await unit.stop()
            unit = Unit(program(plan, item), self._machine, self._ring)
            self._programs[item.name] = (item, unit)
            unit.start()
            begun.append(unit)
        return begun

    async def _stop_programs(self, plan: Plan) -> None:
        kept = {item.name for item in plan.daemons}
        for name in [name for name in self._programs if name not in kept]:
            await self._programs.pop(name)[1].stop()

    async def _await_ready(self, units: list[Unit], mine: int) -> None:
        # A process that ran well before may crash as often again before it counts as failing.
        allowed = {unit: ATTEMPTS + unit.restarts * unit.was_ready for unit in units}

        def failing() -> list[Unit]:
            return [unit for unit in late() if unit.restarts >= allowed[unit]]

        def late() -> list[Unit]:
            return [unit for unit in units if unit.state != "ready"]

        def decided() -> bool:
            return bool(failing()) or not late() or mine != self._changes

        if await self.wait(decided, PATIENCE) and not late():
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
        for address in plan.gateway.addresses if "envoy" in self._programs else ():
            while not await self._machine.listens(address, plan.gateway.port):
                if self._machine.now() >= until:
                    raise LocalRunError(
                        "the gateway does not listen\n"
                        + tail(self._workspace.path("logs", "envoy.log"), 15),
                        where=f"{address}:{plan.gateway.port}",
                        remedy="the whole log: serinus logs envoy",
                    )
                await self._machine.sleep(0.01)

    async def _retire(self, units: Iterable[Unit]) -> None:
        units = list(units)
        if not units:
            return
        self._leaving |= {unit.spec.name for unit in units}
        self._publish()
        await self._machine.sleep(DRAIN)
        await asyncio.gather(*(unit.stop() for unit in units))
        for unit in units:
            self._pods.pop(unit.spec.name, None)
            self._leaving.discard(unit.spec.name)
        self._ring()

    def _ring(self) -> None:
        """A process changed: wake those who wait, tell Envoy, keep the record."""
        bell, self._bell = self._bell, asyncio.Event()
        bell.set()
        try:
            self._publish()
        except Exception:
            # `apply` meets the same error and reports it; a process must be kept either way.
            _LOG.exception("Envoy's files could not be written")
        self._observer()

    def _publish(self) -> None:
        if self.plan is None:
            return
        endpoints = tuple(
            Endpoint(unit.spec.workload, unit.spec.address, labels, ports)
            for unit in self._pods.values()
            if unit.spec.name not in self._leaving and _serving(unit)
            for labels, ports in [self._facts(unit)]
        )
        # Most changes of a process change nothing for Envoy; compiling takes a moment.
        if self._published != (id(self.plan), endpoints):
            self._publisher.publish(self.plan, endpoints)
            self._published = (id(self.plan), endpoints)

    def _facts(self, unit: Unit) -> tuple[dict[str, str], dict[str, int]]:
        assert self.plan is not None  # noqa: S101
        for workload in self.plan.workloads:
            if workload.name == unit.spec.workload:
                return workload.labels, workload.template.ports
        return {"app": unit.spec.app, "version": unit.spec.track}, {}


def _serving(unit: Unit) -> bool:
    """Whether Envoy sends it requests.

    One that crashed stays: its restart takes less time than Envoy's retries last, while a cluster
    without endpoints would answer 503 at once.
    """
    return unit.was_ready and unit.state in {"ready", "starting", "waiting"}


def pod(plan: Plan, workload: Workload, name: str, address: str) -> Spec:
    """The unit of one pod: the template with its own name, address and directory filled in."""
    directory = str(Path(plan.state, "pods", name))

    def fill(text: str) -> str:
        return text.replace(POD_IP, address).replace(POD_NAME, name).replace(POD_DIR, directory)

    template: Template = workload.template
    return Spec(
        name=name,
        argv=tuple(fill(word) for word in template.argv),
        env={key: fill(value) for key, value in template.env.items()} | {RUN_VARIABLE: plan.state},
        log=str(Path(plan.state, "logs", f"{workload.name}.log")),
        workload=workload.name,
        app=workload.app,
        track=workload.track,
        address=address,
        digest=template.digest(),
        readiness=template.readiness,
        liveness=template.liveness,
        startup=template.startup,
        grace=template.grace,
        directories=tuple(fill(item) for item in template.directories),
    )


def program(plan: Plan, item: Daemon) -> Spec:
    """The unit of a program of the platform."""
    for directory in item.directories:
        Path(directory).mkdir(parents=True, exist_ok=True)
    return Spec(
        name=item.name,
        argv=item.argv,
        env=item.env | {RUN_VARIABLE: plan.state},
        log=str(Path(plan.state, "logs", f"{item.name}.log")),
        cwd=plan.state,
        address=item.address,
        readiness=item.readiness,
        grace=item.grace,
    )


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


def _row(unit: Unit, kind: Literal["pod", "program"]) -> Row:
    spec = unit.spec
    return Row(
        name=spec.name,
        kind=kind,
        workload=spec.workload,
        app=spec.app,
        track=spec.track,
        pid=unit.pid,
        state=unit.state,
        restarts=unit.restarts,
        address=spec.address,
        failure=unit.failure if unit.state in {"starting", "unready", "waiting"} else "",
    )
