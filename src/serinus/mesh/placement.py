"""Where things listen on one machine: what the compiler cannot know from the chart.

Enters: nothing; `serinus.local` fills these records from its plan and the pods that are ready.
Leaves: `Placement`, read by `serinus.mesh.envoy.compile` and `serinus.mesh.explain`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, NamedTuple

GATEWAY: Final = "gateway"
"""The source of a request that comes in from outside."""


class SocketAddress(NamedTuple):
    """An IP address and a TCP port. IPv6 without brackets."""

    address: str
    port: int

    def __str__(self) -> str:
        host = f"[{self.address}]" if ":" in self.address else self.address
        return f"{host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Workload:
    """One caller: an app in one track, with the labels of its pods."""

    app: str
    track: str
    labels: Mapping[str, str] = field(hash=False)

    def __str__(self) -> str:
        return f"{self.app}/{self.track}"


@dataclass(frozen=True, slots=True)
class Outbound:
    """A listener of one caller for one Service: what `http://<service>` becomes in its pods."""

    caller: Workload
    service: str
    listen: SocketAddress


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A pod: its address, its labels and its named container ports.

    Leave a pod that is restarting in the list: a refused connection is retried by Envoy, whereas a
    cluster without endpoints answers 503 at once.
    """

    address: str
    labels: Mapping[str, str] = field(hash=False)
    ports: Mapping[str, int] = field(hash=False, default_factory=dict)


@dataclass(frozen=True, slots=True)
class Placement:
    """One Envoy: the gateway's addresses, each caller's outbound listeners, pods, admin.

    `directory` is the absolute folder that the compiled files are written to; Envoy watches it.
    `access_log` is the absolute path of the gateway's access log (JSON lines), empty for none.
    """

    gateway: tuple[SocketAddress, ...]
    admin: SocketAddress
    directory: str
    outbound: tuple[Outbound, ...] = ()
    endpoints: tuple[Endpoint, ...] = ()
    access_log: str = ""
