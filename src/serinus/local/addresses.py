"""Addresses of one machine: who owns which loopback address and port.

Enters: a state directory's path and what listens already. Leaves: a block 127.b.c.0/24, and errors
that name a port's holder. Called by `serinus.local.session`; the layout inside a block is in
docs/architecture.md.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from serinus.errors import LocalRunError, PortInUseError

ENVOY: Final = 1
PROMETHEUS: Final = 2
ALERTMANAGER: Final = 3
SMTP: Final = 4
GRAFANA: Final = 5
FIRST_POD: Final = 10
LAST_POD: Final = 254

ENVOY_ADMIN_PORT: Final = 15000
OUTBOUND_PORT: Final = 15100
PROMETHEUS_PORT: Final = 9090
ALERTMANAGER_PORT: Final = 9093
SMTP_PORT: Final = 1025
GRAFANA_PORT: Final = 3000
POD_PORTS: Final = (8080, 9090)

_WILDCARDS: Final = {"0.0.0.0", "::"}


@dataclass(frozen=True, slots=True)
class Listener:
    """A listening TCP socket; `holder` says whose, `pid` is `None` for another user's."""

    address: str
    port: int
    pid: int | None
    holder: str


def host(block: str, number: int) -> str:
    """The address with that last number in a block such as `127.20.7`."""
    return f"{block}.{number}"


def candidates(state: Path) -> Iterable[str]:
    """Blocks for a state directory, best first: always the same ones for the same path."""
    digest = hashlib.sha256(os.fsencode(state)).digest()
    start = int.from_bytes(digest[:4], "big")
    for step in range(32):
        number = (start + step) % (96 * 256)
        yield f"127.{16 + number // 256}.{number % 256}"


def listeners() -> list[Listener]:
    """All listening TCP sockets of this machine."""
    import psutil

    found = []
    for connection in psutil.net_connections(kind="tcp"):
        if connection.status == psutil.CONN_LISTEN and connection.laddr:
            found.append(
                Listener(
                    connection.laddr.ip,
                    connection.laddr.port,
                    connection.pid,
                    _holder(connection.pid),
                )
            )
    return found


def _holder(pid: int | None) -> str:
    import psutil

    if pid is None:
        return "a process of another user"
    try:
        words = psutil.Process(pid).cmdline() or [psutil.Process(pid).name()]
    except psutil.Error:
        return f"process {pid}"
    command = " ".join(words)
    return f"process {pid} ({command[:97] + '...' if len(command) > 100 else command})"


def choose_block(state: Path, busy: Iterable[Listener]) -> str:
    """The first block of this directory in which nothing listens."""
    taken = {item.address.rpartition(".")[0] for item in busy}
    for block in candidates(state):
        if block not in taken:
            return block
    raise LocalRunError(
        "no free block of loopback addresses", remedy="stop another run: `serinus down`"
    )


def check_gateway(addresses: Iterable[str], port: int, busy: Iterable[Listener]) -> None:
    """Refuse a gateway port that another process holds; raises `PortInUseError` naming it."""
    wanted = set(addresses)
    for item in busy:
        if item.port == port and (item.address in wanted or item.address in _WILDCARDS):
            raise PortInUseError(
                f"port {port} is held by {item.holder}",
                where=f"{item.address}:{item.port}",
                remedy="choose another with --port, or stop that process",
            )


def check_ports(ports: Iterable[int], busy: Iterable[Listener]) -> None:
    """Refuse ports that a process holds on every address, so that no block can use them."""
    wanted = set(ports)
    for item in busy:
        if item.port in wanted and item.address in _WILDCARDS:
            raise PortInUseError(
                f"port {item.port} is held on all addresses by {item.holder}",
                where=f"{item.address}:{item.port}",
                remedy="a pod needs this port on a loopback address of its own; stop that process",
            )


class Pool:
    """The pods' addresses of a block: handed out lowest first, taken back when a pod is gone."""

    def __init__(self, block: str, taken: Callable[[], Iterable[str]]) -> None:
        self._block = block
        self._taken = taken

    def next(self) -> str:
        """A free address; raises `LocalRunError` when 245 pods run already."""
        taken = set(self._taken())
        for number in range(FIRST_POD, LAST_POD + 1):
            if (address := host(self._block, number)) not in taken:
                return address
        raise LocalRunError("more pods than one block has addresses", remedy="lower `replicas`")
