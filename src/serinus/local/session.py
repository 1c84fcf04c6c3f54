"""The verbs of a run on one machine: render, plan, write, run.

Enters: what the user asked for. Leaves: a running system, or an error that says what to do. Called
by `serinus.cli` and tests. Every change comes in here: `prepare` renders the chart and makes a
plan, and the supervisor applies the difference.
"""

from __future__ import annotations

import fcntl
import itertools
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import msgspec
import yaml

from serinus.clients.values import Values
from serinus.errors import LocalRunError
from serinus.local import addresses, control, envoy, leftovers, models
from serinus.local.fleet import Row
from serinus.local.plan import Plan
from serinus.local.prepare import Asked, Change, Prepared, in_force, overlay_of, prepare
from serinus.local.workspace import Workspace

__all__ = [
    "Asked",
    "Prepared",
    "System",
    "down",
    "follow",
    "in_force",
    "overlay_of",
    "prepare",
    "roll",
    "rows",
    "running",
    "up",
    "workspace",
]

DEFAULT_STATE: Final = Path(".serinus")
STOP_SECONDS: Final = 60.0

Show = Callable[[list[Row]], None]
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class System:
    """A running system, for those who visit it: connect to `gateway` and send the host."""

    state: Path
    gateway: str
    frontend_host: str
    api_host: str
    plan: Plan
    values: Values

    @property
    def port(self) -> int:
        """The gateway's port."""
        return self.plan.gateway.port

    @property
    def frontend(self) -> str:
        """The page's address for a browser."""
        return f"http://{self.frontend_host}:{self.port}"

    @property
    def api(self) -> str:
        """The API's address, empty when it is not exposed."""
        return f"http://{self.api_host}:{self.port}" if self.api_host else ""

    @property
    def places(self) -> tuple[tuple[str, str], ...]:
        """Programs of the platform that people visit: name and address."""
        return tuple((item.name, item.place) for item in self.plan.daemons if item.place)


def workspace(state: Path | None) -> Workspace:
    """The state directory that was named, or `.serinus` here."""
    return Workspace(state or DEFAULT_STATE)


def up(space: Workspace, asked: Asked, show: Show, say: Say) -> System:
    """Start the system, or apply the difference to the running one; returns when all is ready."""
    space.create()
    with space.locked():
        running = space.supervised()
        if not running:
            _clear(space, say)
        prepared = prepare(space, asked)
        for line in prepared.said:
            say(line)
        _check_port(space, prepared.plan, running)
        if not running:
            envoy.check_watches(prepared.watched)
        models.ensure(prepared.plan, say, check=not running)
        replies = _begin(space, prepared, wait_all=True)
    for lines in replies:
        show(lines)
    return _system(space, prepared.plan, prepared.values)


def roll(
    space: Workspace,
    change: Change,
    show: Show,
) -> Prepared:
    """Change the rollout of the running system through its overlay."""
    with _running(space).locked():
        prepared = prepare(space, Asked(), change)
        # An abort must not wait for a process that fails for reasons of its own.
        replies = _begin(space, prepared, wait_all=False)
    for lines in replies:
        show(lines)
    return prepared


def down(space: Workspace, show: Show) -> int:
    """Stop everything; returns how many processes ran. A run that isn't there is no error."""
    if not space.root.exists():
        return 0
    ended = 0
    with space.locked():
        if space.supervised():
            try:
                for rows in control.ask(space, control.Stop()):
                    ended = max(ended, sum(row.pid is not None for row in rows))
                    show(rows)
                _await_release(space)
            except LocalRunError:
                leftovers.end_supervisor(space)
        ended += leftovers.end(space)
    return ended


def follow(space: Workspace) -> None:
    """Stay until the supervisor ends; raises `LocalRunError` when it does."""
    for _ in control.ask(_running(space), control.Watch(follow=True)):
        pass


def rows(space: Workspace) -> list[Row]:
    """The processes of the running system."""
    return next(iter(control.ask(_running(space), control.Watch())))


def running(state: Path | None = None) -> System:
    """The system that runs in a state directory; raises `LocalRunError` when none does."""
    space = _running(workspace(state))
    plan = in_force(space)
    if plan is None:
        raise LocalRunError(
            "the system is just being started",
            where=str(space.root),
            remedy="`serinus status` shows how far it is",
        )
    values = yaml.safe_load(space.path("values.yaml").read_text(encoding="utf-8"))
    return _system(space, plan, values)


def _clear(space: Workspace, say: Say) -> None:
    if ended := leftovers.end(space):
        say(f"ended {ended} processes that a killed supervisor had left behind")
    settings = space.settings()
    block = addresses.choose_block(space.root, addresses.listeners())
    if settings.block != block:
        settings.block = block
        space.save(settings)


def _check_port(space: Workspace, plan: Plan, running: bool) -> None:
    before = in_force(space) if running else None
    if before is None or before.gateway != plan.gateway:
        addresses.check_gateway(plan.gateway.addresses, plan.gateway.port, addresses.listeners())
    if not running:
        ports = {port for item in plan.workloads for port in item.template.ports.values()}
        ports |= {addresses.ENVOY_ADMIN_PORT, *(item.port for item in plan.outbound)}
        ports |= {item.readiness.port for item in plan.daemons if item.readiness}
        addresses.check_ports(ports, addresses.listeners())


def _begin(space: Workspace, prepared: Prepared, *, wait_all: bool) -> Iterator[list[Row]]:
    """Hand a change over; the supervisor keeps what it is made from once it is in force.

    The caller holds the directory. With the first answer the supervisor has the change, and a later
    one, such as an abort, may overtake it; so the rest is followed without holding anything.
    """
    if not space.supervised():
        _start(space)
    text = "# Written by `serinus rollout`; the only place for weights and epochs.\n"
    request = control.Apply(
        prepared.plan,
        {
            "settings.json": msgspec.json.encode(prepared.settings).decode(),
            "overlay.yaml": text + yaml.safe_dump(prepared.overlay, sort_keys=False),
            "values.yaml": yaml.dump(prepared.values, Dumper=yaml.CSafeDumper),
        },
        prepared.base,
        wait_all,
    )
    replies = control.ask(space, request)
    first = [*itertools.islice(replies, 1)]
    return itertools.chain(first, replies)


def _start(space: Workspace) -> None:
    read_end, write_end = os.pipe()
    with space.path("logs", "supervisor.log").open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "serinus.local.daemon", str(space.root), str(write_end)],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            cwd="/",
            pass_fds=(write_end,),
            start_new_session=True,
        )
    os.close(write_end)
    process.wait()
    with os.fdopen(read_end, "rb") as ready:
        if ready.read() == b"ready":
            return
    raise LocalRunError(
        "the supervisor did not start",
        where=str(space.root),
        remedy=f"its log: {space.path('logs', 'supervisor.log')}",
    )


def _await_release(space: Workspace) -> None:
    """Wait until the supervisor let go of its lock; raises `LocalRunError` after a minute."""
    until = time.monotonic() + STOP_SECONDS
    with space.path("supervisor.lock").open("a") as lock:
        while time.monotonic() < until:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                time.sleep(0.01)
            else:
                return
    raise LocalRunError("the supervisor does not end", where=str(space.root))


def _running(space: Workspace) -> Workspace:
    if not space.root.exists() or not space.supervised():
        raise LocalRunError(
            "nothing runs here",
            where=str(space.root),
            remedy="`serinus up` starts the system; --state names another directory",
        )
    return space


def _system(space: Workspace, plan: Plan, values: Values) -> System:
    hosts = values.get("hosts") or {}
    exposed = bool((values.get("api") or {}).get("expose"))
    return System(
        space.root,
        f"127.0.0.1:{plan.gateway.port}",
        str(hosts.get("frontend", "")),
        str(hosts.get("api", "")) if exposed else "",
        plan,
        values,
    )
