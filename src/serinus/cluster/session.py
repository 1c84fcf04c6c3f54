"""The verbs of a release in a cluster: deploy, preview, roll, lead back, look.

Enters: what the user asked for and a release. Leaves: revisions of it, or an error that says what
to do. Called by `serinus.cli`. Every change is a Helm revision; only the Helm engine writes.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final

from serinus import rollout
from serinus.clients import helm
from serinus.clients.kubernetes import Kubernetes
from serinus.clients.releases import Releases, Revision, Stored, write_chart
from serinus.clients.values import Values, expressions, merge, read
from serinus.cluster import desired, prerequisites, ready, split
from serinus.contracts.routing import APP_FRONTEND, CANARY
from serinus.errors import ClusterError, RolloutError, UsageError

METRICS_PORT: Final = 9090
TIMEOUT: Final = 300.0
"""Seconds that pods may take to get ready."""
_FIRST: Final = "first step: canary without routes"
"""Ends the description of a revision that was only the way to the next one."""
_DONE: Final = frozenset({"deployed", "superseded"})

Show = ready.Show
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user gave to `serinus deploy`."""

    chart: Path
    files: tuple[Path, ...] = ()
    sets: tuple[str, ...] = ()

    def values(self) -> Values:
        """Values files, then `--set` expressions."""
        return merge(*(read(path) for path in self.files), expressions(self.sets))


@dataclass(frozen=True, slots=True)
class Waiting:
    """How to wait: `seconds` None is not at all."""

    show: Show
    say: Say
    seconds: float | None = TIMEOUT


@dataclass(frozen=True, slots=True)
class Preview:
    """What a deploy would change: manifests before and after, and what it would say."""

    before: str
    after: str
    edits: tuple[split.HandEdit, ...]
    said: tuple[str, ...]


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
        """All kept revisions, oldest first."""
        return self.releases.history()

    @cached_property
    def current(self) -> Stored | None:
        """The revision in force, or the last one that was tried; None before the first."""
        deployed = [item for item in self.history if item.status == "deployed"]
        last = (deployed or self.history)[-1:]
        return self.releases.stored(last[0].number) if last else None

    def fresh(self) -> None:
        """Forget what was read."""
        self.__dict__.pop("history", None)
        self.__dict__.pop("current", None)

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
        """Percent of new visitors per track, as the cluster has it now."""
        return split.drawn(self.cluster.custom("virtualservices", split.GATEWAY_ROUTES))

    def rows(self) -> list[ready.Row]:
        """The release's workloads."""
        return ready.rows(self.cluster.workloads(self.labels), self.cluster.pods(self.labels))

    def whole(self) -> Values:
        """Values of the revision in force over the defaults of its chart."""
        stored = self.installed()
        with kept_chart(stored) as chart:
            return helm.coalesce(chart, stored.values)

    def metrics(self) -> list[str]:
        """The metrics page of each ready pod of app-frontend."""
        pods = self.cluster.pods({**self.labels, "app": APP_FRONTEND})
        names = [pod.metadata.name or "" for pod in pods if pod.metadata and ready.serves(pod)]
        return [self.cluster.page(name, METRICS_PORT, "/metrics") for name in names]


@contextmanager
def kept_chart(stored: Stored) -> Iterator[Path]:
    """The chart that a revision was made from, as a directory."""
    with tempfile.TemporaryDirectory(prefix="serinus-chart-") as folder:
        yield write_chart(stored.chart, Path(folder))


def preview(target: Target, asked: Asked) -> Preview:
    """What `deploy` would change; the cluster judges every object, nothing is made."""
    said: list[str] = []
    sent, first = _wanted(target, asked, said.append)
    sent = first or sent
    after = target.releases.put(asked.chart, sent, first=target.current is None, dry_run=True)
    before = target.current.manifest if target.current else ""
    return Preview(before, after, tuple(target.edits()), tuple(said))


def deploy(target: Target, asked: Asked, waiting: Waiting) -> int:
    """Install the chart or apply a change; returns the revision in force.

    Raises `ChartError`, `ClusterError`, `RolloutError` or `UsageError`; a failed rollout names pod
    and reason.
    """
    sent, first = _wanted(target, asked, waiting.say)
    return _apply(target, asked.chart, first, sent, waiting)


def roll(
    target: Target,
    change: desired.Change,
    waiting: Waiting,
    description: str,
    *,
    promotes: bool = False,
) -> Values:
    """Change the rollout, with the chart of the revision in force; returns the whole values."""
    stored = target.installed()
    promoted = promotes or desired.PROMOTED in stored.labels
    with kept_chart(stored) as chart, helm.defaults(chart) as laid_over:
        before = laid_over(stored.values)
        sent = desired.rolled(
            stored.values, change, laid_over, promoted=desired.PROMOTED in stored.labels
        )
        whole = laid_over(sent)
        prerequisites.check_rights(target.cluster, whole, before)
        first = desired.first_step(rollout.read(before), sent, whole)
        _apply(target, chart, first, sent, waiting, description, promoted=promoted)
    return whole


def roll_back(target: Target, revision: int | None, waiting: Waiting) -> int:
    """Lead back to an older revision, its chart included, as a new one; the epoch never falls.

    Where that brings the canary back its pods come first, and its routes when they are ready.
    """
    now = target.installed()
    then = target.releases.stored(revision or _before(target, now.number))
    waiting.say(f"back to revision {then.number}")
    with kept_chart(now) as chart:
        whole = helm.coalesce(chart, now.values)
    with kept_chart(then) as chart, helm.defaults(chart) as laid_over:
        sent = desired.led_back(now.values, then.values, whole, laid_over(then.values))
        prerequisites.check_rights(target.cluster, laid_over(sent), whole)
        first = desired.first_step(rollout.read(whole), sent, laid_over(sent))
        return _apply(
            target,
            chart,
            first,
            sent,
            waiting,
            f"rollback to {then.number}",
            promoted=desired.PROMOTED in then.labels,
        )


def _before(target: Target, number: int) -> int:
    last = target.history[-1]
    if last.number != number and last.status not in _DONE:
        return number  # The last change failed: what was in force before it is meant.
    found = [
        item.number
        for item in target.history
        if item.number < number and item.status in _DONE and _FIRST not in item.description
    ]
    if not found:
        raise RolloutError(
            f"revision {number} is the first one, so there is nothing to lead back to",
            where=str(target),
            remedy="`serinus deploy --history` lists the revisions",
        )
    return found[-1]


def _wanted(target: Target, asked: Asked, say: Say) -> tuple[Values, Values | None]:
    """Values to send, and those of a first step, once the cluster has all that they need."""
    readable = target.releases.readable()
    stored = target.current if readable else None
    given = asked.values()
    extension = target.cluster.extension
    if extension.values is not None and (given or stored is None):
        if not extension.values.is_file():
            raise UsageError(
                f"there is no file of values {extension.values}",
                where=extension.where,
                remedy="make it, or remove its name from the extension",
            )
        given = merge(read(extension.values), given)
        say(f"below the given values: {extension.values}, named by the context")
    promoted = stored is not None and desired.PROMOTED in stored.labels
    with helm.defaults(asked.chart) as laid_over:
        sent = desired.deployed(
            stored.values if stored else None, given, laid_over, promoted=promoted
        )
        whole = laid_over(sent)
        # Its chart may be an older one, with other defaults.
        before = target.whole() if stored else None
        # Raises where revisions are not readable, too: that right is one of those asked for.
        prerequisites.check(target.cluster, whole, before)
        rolled = rollout.read(laid_over(stored.values)) if stored else None
    for line in desired.overruled(given, sent):
        say(line)
    return sent, desired.first_step(rolled, sent, whole)


def _apply(
    target: Target,
    chart: Path,
    first: Values | None,
    sent: Values,
    waiting: Waiting,
    description: str = "",
    *,
    promoted: bool | None = None,
) -> int:
    for edit in target.edits():
        waiting.say(f"overwrites a change by hand: {edit}")
    labelled = target.current is not None and desired.PROMOTED in target.current.labels
    labels = {desired.PROMOTED: "true"} if promoted or (promoted is None and labelled) else {}
    if labelled and not labels:
        labels = {desired.PROMOTED: "null"}  # Helm keeps a label until it is set to this word.
    if first is not None:
        waiting.say("the canary's pods first, its routes when they are ready")
        about = f"{description}, {_FIRST}".lstrip(", ")
        _put(target, chart, first, about, labels)
        _await_canary(target, waiting)
    number = _put(target, chart, sent, description, labels)
    if waiting.seconds is not None:
        ready.wait(target.cluster, target.labels, waiting.show, seconds=waiting.seconds)
    return number


def _put(
    target: Target, chart: Path, values: Values, description: str, labels: Mapping[str, str]
) -> int:
    installed = bool(target.history)
    target.releases.put(chart, values, first=not installed, description=description, labels=labels)
    target.fresh()
    return target.history[-1].number


def _await_canary(target: Target, waiting: Waiting) -> None:
    found = target.cluster.workloads({**target.labels, "version": CANARY})
    names = frozenset(item.metadata.name or "" for item in found if item.metadata)
    # Also with --no-wait: without its pods the canary's visitors would meet 503.
    seconds = waiting.seconds or TIMEOUT
    ready.wait(target.cluster, target.labels, waiting.show, seconds=seconds, names=names)


def gateway(target: Target) -> str:
    """HOST:PORT at which the ingress gateway can be reached: by the context, or by the cluster.

    The port is that of HTTPS where the release has TLS.

    Raises `ClusterError` when its Service has neither an address nor a node port, or when this user
    may not see them.
    """
    if target.cluster.extension.gateway:
        return target.cluster.extension.gateway
    values = target.whole()["gateway"]
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
    service = target.cluster.object(f"/api/v1/namespaces/{namespace}/services/{name}") or {}
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
