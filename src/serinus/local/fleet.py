"""The processes of one run, and who hears of it when one of them changes.

Enters: a plan's workloads and programs, to start and to stop. Leaves: units that are kept running,
rows for the live table, and at each change Envoy's files (through a `Publisher`) and a call of the
observer. Called by `serinus.local.supervisor`, which decides what is to run.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, Literal, Protocol

from msgspec import Struct

from serinus.local.addresses import Pool
from serinus.local.plan import POD_DIR, POD_IP, POD_NAME, Daemon, Plan, Template, Workload
from serinus.local.process import Machine
from serinus.local.unit import Spec, State, Unit
from serinus.local.workspace import RUN_VARIABLE

_LOG = logging.getLogger(__name__)

DRAIN: Final = 1.0
"""Seconds between a pod's leaving Envoy's endpoints and its SIGTERM."""


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


class Fleet:
    """All processes of one run; `plan` is the one in force, by which Envoy routes to them."""

    def __init__(self, machine: Machine, publisher: Publisher, changed: Callable[[], None]) -> None:
        self.plan: Plan | None = None
        self.pods: dict[str, Unit] = {}
        self.programs: dict[str, tuple[Daemon, Unit]] = {}
        self._machine = machine
        self._publisher = publisher
        self._observer = changed
        self._leaving: set[str] = set()
        self._bell = asyncio.Event()
        self._published: tuple[int, tuple[Endpoint, ...]] | None = None

    def rows(self) -> list[Row]:
        """The live table: programs, then pods."""
        programs = [_row(unit, "program") for _, unit in self.programs.values()]
        return programs + [_row(unit, "pod") for unit in self.pods.values()]

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

    def wake(self) -> None:
        """Let all who wait ask again whether it is done."""
        bell, self._bell = self._bell, asyncio.Event()
        bell.set()

    def create(self, plan: Plan, workload: Workload) -> Unit:
        """One more pod of a workload, not started yet."""
        number = 0
        digest = workload.template.digest()
        while (name := f"{workload.name}-{digest[:5]}-{number}") in self.pods:
            number += 1
        pool = Pool(plan.block, lambda: (unit.spec.address for unit in self.pods.values()))
        spec = pod(plan, workload, name, pool.next())
        unit = Unit(spec, self._machine, self._ring)
        self.pods[name] = unit
        return unit

    def run(self, plan: Plan, item: Daemon) -> Unit:
        """Start a program of the platform."""
        unit = Unit(program(plan, item), self._machine, self._ring)
        self.programs[item.name] = (item, unit)
        unit.start()
        return unit

    def leave(self, units: Iterable[Unit]) -> None:
        """Take pods out of Envoy's endpoints; what it sent them goes on."""
        self._leaving |= {unit.spec.name for unit in units}
        self.publish()

    async def retire(self, units: Iterable[Unit]) -> None:
        """Take pods out of Envoy's endpoints and, when they had time to finish, stop them."""
        units = list(units)
        if not units:
            return
        self.leave(units)
        await self._machine.sleep(DRAIN)
        await asyncio.gather(*(unit.stop() for unit in units))
        for unit in units:
            self.pods.pop(unit.spec.name, None)
            self._leaving.discard(unit.spec.name)
        self._ring()

    async def stop(self) -> None:
        """End everything: pods first, then the programs."""
        await asyncio.gather(*(unit.stop() for unit in self.pods.values()))
        await asyncio.gather(*(unit.stop() for _, unit in self.programs.values()))

    def _ring(self) -> None:
        """A process changed: wake those who wait, tell Envoy, keep the record."""
        self.wake()
        try:
            self.publish()
        except Exception:
            # Applying a plan meets the same error and reports it; a process must be kept.
            _LOG.exception("Envoy's files could not be written")
        self._observer()

    def publish(self) -> None:
        """Tell Envoy which pods there are, if a plan is in force and it does not know yet."""
        if self.plan is None:
            return
        endpoints = tuple(
            Endpoint(unit.spec.workload, unit.spec.address, labels, ports)
            for unit in self.pods.values()
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
