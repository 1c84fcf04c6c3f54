"""What the run on one machine shall be, as a pure value.

Enters: nothing; these are the records that `serinus.local.pods`, `system` and `monitoring` fill.
Leaves: `Plan`, printed by `serinus up --plan`, sent to the supervisor as JSON, compared with the
plan in force so that only the difference is applied. Times are seconds.
"""

from __future__ import annotations

import hashlib
from typing import Final

import msgspec
from msgspec import Struct

POD_IP: Final = "@POD_IP@"
"""Stands for a pod's own address in `Template.env` and `argv`; the supervisor fills it in."""
POD_NAME: Final = "@POD_NAME@"
POD_DIR: Final = "@POD_DIR@"
"""A pod's own directory, for `emptyDir` volumes: made when the pod starts, removed after it."""


class Probe(Struct, frozen=True, kw_only=True):
    """An HTTP probe; `host` empty means the pod's address. Ready below status 400."""

    path: str
    port: int
    host: str = ""
    initial_delay: float = 0.0
    period: float = 10.0
    timeout: float = 1.0
    failures: int = 3
    successes: int = 1


class Template(Struct, frozen=True, kw_only=True):
    """One container of a pod, as a process."""

    argv: tuple[str, ...]
    env: dict[str, str]
    ports: dict[str, int]
    readiness: Probe | None = None
    liveness: Probe | None = None
    startup: Probe | None = None
    grace: float = 30.0
    directories: tuple[str, ...] = ()

    def digest(self) -> str:
        """What makes two pods the same: 12 hexadecimal digits."""
        return hashlib.sha256(msgspec.json.encode(self, order="sorted")).hexdigest()[:12]


class Workload(Struct, frozen=True, kw_only=True):
    """One Deployment: `replicas` pods of one template."""

    name: str
    app: str
    track: str
    labels: dict[str, str]
    replicas: int
    template: Template
    recreate: bool = False
    source: str = ""


class File(Struct, frozen=True, kw_only=True):
    """A file to write, by its path below the state directory."""

    path: str
    text: str
    mode: int = 0o644


class Daemon(Struct, frozen=True, kw_only=True):
    """A program of the platform: Envoy, Prometheus and the like.

    A changed file of `reload_files` makes the supervisor send SIGHUP, one of `files` restarts the
    program; both name `Plan.files`. `about` says in a few words what it is for; `place` is an
    address for people, printed when the system is up.
    """

    name: str
    argv: tuple[str, ...]
    env: dict[str, str] = {}
    address: str = ""
    readiness: Probe | None = None
    grace: float = 5.0
    files: tuple[str, ...] = ()
    reload_files: tuple[str, ...] = ()
    directories: tuple[str, ...] = ()
    about: str = ""
    place: str = ""


class Outbound(Struct, frozen=True, kw_only=True):
    """A workload's listener for one Service that it calls; `workload` names the Deployment."""

    workload: str
    service: str
    address: str
    port: int


class Gateway(Struct, frozen=True, kw_only=True):
    """The visitors' door: the same port on each address."""

    addresses: tuple[str, ...]
    port: int


class Plan(Struct, frozen=True, kw_only=True):
    """Everything the supervisor needs, in starting order. `manifest` is the rendered chart."""

    state: str
    release: str
    namespace: str
    block: str
    gateway: Gateway
    manifest: str
    workloads: tuple[Workload, ...]
    outbound: tuple[Outbound, ...] = ()
    daemons: tuple[Daemon, ...] = ()
    files: tuple[File, ...] = ()
    directories: tuple[str, ...] = ()
    absent: tuple[str, ...] = ()


def encode(plan: Plan) -> bytes:
    """The plan as JSON."""
    return msgspec.json.encode(plan)


def decode(data: bytes) -> Plan:
    """A plan from its JSON; raises `msgspec.ValidationError` for another version's plan."""
    return msgspec.json.decode(data, type=Plan)


def revision(plan: Plan) -> str:
    """A plan's own name: equal plans have the same one."""
    return hashlib.sha256(encode(plan)).hexdigest()[:16]
