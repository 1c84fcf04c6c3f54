"""A release in a cluster as it is: its revisions, values, workloads, weights and gateway.

Enters: a cluster, a namespace and a release's name. Leaves: what is there, read once. Called by
`serinus.cluster.session`, whose verbs change it, and by `serinus.cli`. Changes nothing.
"""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Final

from serinus import rollout
from serinus.clients import helm
from serinus.clients.kubernetes import Kubernetes
from serinus.clients.releases import Releases, Revision, Stored, write_chart
from serinus.clients.values import Values, merge
from serinus.cluster import ready, split
from serinus.contracts.routing import APP_FRONTEND
from serinus.errors import ClusterError

METRICS_PORT: Final = 9090


class Target:
    """A release in a cluster. What is read of it is read once; `fresh` forgets it."""

    def __init__(self, cluster: Kubernetes, name: str = "serinus") -> None:
        self.cluster = cluster
        self.releases = Releases(cluster, name)

    def __str__(self) -> str:
        return str(self.cluster)

    @property
    def labels(self) -> Mapping[str, str]:
        """Labels of everything that the release runs."""
        return {"app.kubernetes.io/instance": self.releases.name}

    @cached_property
    def history(self) -> list[Revision]:
        """All kept revisions, oldest first; none after an uninstall that kept them."""
        found = self.releases.history()
        return [] if found and found[-1].status == "uninstalled" else found

    @cached_property
    def current(self) -> Stored | None:
        """The revision in force, or the last one that was tried; None before the first."""
        deployed = [item for item in self.history if item.status == "deployed"]
        last = (deployed or self.history)[-1:]
        return self.releases.stored(last[0].number) if last else None

    @cached_property
    def whole(self) -> Values:
        """Values of the revision in force over the defaults of its chart."""
        return _whole(self.installed())

    @cached_property
    def tried(self) -> list[rollout.Rollout]:
        """The rollout of each later revision that failed: parts of it may be in the cluster."""
        later = [item.number for item in self.history if item.number > self.installed().number]
        return [rollout.read(_whole(self.releases.stored(number))) for number in later]

    @cached_property
    def values(self) -> Values:
        """Values of the revision in force, in an epoch of their own where a later one failed.

        Visitors may have been drawn in that one's epoch already, for another canary.
        """
        values = self.installed().values
        passed = max((one.epoch for one in self.tried), default=0)
        if passed <= rollout.read(self.whole).epoch:
            return values
        return merge(values, {"rollout": {"epoch": passed + 1}})

    @cached_property
    def rolled(self) -> rollout.Rollout:
        """The rollout in force; the canary is on where no later revision that failed ends it."""
        now = rollout.read(self.whole)
        return dataclasses.replace(
            now,
            enabled=now.enabled and all(one.enabled for one in self.tried),
            routed=now.routed and all(one.routed for one in self.tried),
        )

    @property
    def unfinished(self) -> Revision | None:
        """The last revision, where it is being made or was cut off."""
        last = self.history[-1:]
        return last[0] if last and last[0].status.startswith("pending-") else None

    def fresh(self) -> None:
        """Forget what was read."""
        for name in ("history", "current", "whole", "tried", "values", "rolled"):
            self.__dict__.pop(name, None)

    def installed(self) -> Stored:
        """The revision in force; raises `ClusterError` when nothing is installed."""
        if self.current is None:
            raise ClusterError(
                f"no release {self.releases.name} is installed here",
                where=str(self),
                remedy="`serinus deploy` installs it; --namespace and --context name another place",
            )
        return self.current

    def edits(self) -> list[split.HandEdit]:
        """Weights that somebody changed by hand."""
        if self.current is None:
            return []
        live = self.cluster.custom("virtualservices") or {}
        return split.hand_edits(self.current.manifest, live.get("items", ()))

    def drawn(self) -> split.Weights:
        """Percent of new visitors per track, as the cluster has it now; empty without routes."""
        return split.drawn(self.cluster.custom("virtualservices", split.GATEWAY_ROUTES))

    def rows(self) -> list[ready.Row]:
        """The release's workloads."""
        return ready.rows(self.cluster.workloads(self.labels), self.cluster.pods(self.labels))

    def metrics(self) -> tuple[list[str], list[str]]:
        """The metrics page of each ready pod of app-frontend, and why some gave none."""
        pods = self.cluster.pods({**self.labels, "app": APP_FRONTEND})
        pages, refused = [], []
        for pod in pods:
            if pod.metadata and ready.serves(pod):
                try:
                    page = self.cluster.page(pod.metadata.name or "", METRICS_PORT, "/metrics")
                    pages.append(page)
                except ClusterError as error:
                    refused.append(error.what)
        return pages, refused


def _whole(stored: Stored) -> Values:
    with kept_chart(stored) as chart:
        return helm.coalesce(chart, stored.values)


@contextmanager
def kept_chart(stored: Stored) -> Iterator[Path]:
    """The chart that a revision was made from, as a directory."""
    with tempfile.TemporaryDirectory(prefix="serinus-chart-") as folder:
        yield write_chart(stored.chart, Path(folder))


def gateway(target: Target) -> str:
    """HOST:PORT at which the ingress gateway can be reached: by the context, or by the cluster.

    The port is that of HTTPS where the release has TLS.

    Raises `ClusterError` when its Service has neither an address nor a node port, or when this user
    may not see them.
    """
    if target.cluster.extension.gateway:
        return target.cluster.extension.gateway
    values = target.whole["gateway"]
    secure = values["tls"]["enabled"]
    port = int(values["tls"]["port"] if secure else values["port"])
    namespace, name = values["namespace"], values["service"]
    allowed = target.cluster.allowed
    if not allowed("get", "", "services", namespace):
        raise ClusterError(
            f"this user may not look at Service {namespace}/{name}, which tells the address",
            where=str(target),
            remedy="name the gateway yourself: --gateway HOST:PORT",
        )
    service = target.cluster.object(f"/api/v1/namespaces/{namespace}/services/{name}")
    if service is None:
        raise ClusterError(
            f"there is no Service {namespace}/{name}",
            where=f"{target}, gateway.namespace and gateway.service",
            remedy="these values of the release name the ingress gateway's Service; "
            "--gateway HOST:PORT names an address of it",
        )
    balancers = ((service.get("status") or {}).get("loadBalancer") or {}).get("ingress") or ()
    for item in balancers:
        if address := item.get("ip") or item.get("hostname"):
            return f"{address}:{port}"
    for item in (service.get("spec") or {}).get("ports") or ():
        if item["port"] == port and item.get("nodePort") and allowed("list", "", "nodes", None):
            nodes = (target.cluster.object("/api/v1/nodes") or {}).get("items", ())
            for node in nodes:
                for address in node["status"]["addresses"]:
                    if address["type"] == "InternalIP":
                        return f"{address['address']}:{item['nodePort']}"
    forwarded = 8443 if secure else 8080
    raise ClusterError(
        f"Service {namespace}/{name} tells no address for port {port}",
        where=str(target),
        remedy=f"kubectl -n {namespace} port-forward svc/{name} {forwarded}:{port}, then "
        f"--gateway 127.0.0.1:{forwarded}",
    )
