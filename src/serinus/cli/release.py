"""What `status`, `logs`, `rollout`, `simulate` and `mesh explain` do with a release in a cluster.

Enters: the release, and what the command was asked. Leaves: tables, lines, JSON, as the commands
show them for the run on this machine. Called by those commands once `serinus.cli.place` chose.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
import msgspec
from rich.console import Console

from serinus import rollout as changes
from serinus.cli import place, shares
from serinus.cli.progress import progress_of, waiting_of
from serinus.cluster import session
from serinus.errors import ClusterError, UsageError
from serinus.local import draws

if TYPE_CHECKING:
    from serinus.clients.values import Values
    from serinus.cluster.desired import Change
    from serinus.cluster.session import Target

CONTAINER = "app"


@dataclass(frozen=True, slots=True)
class Workload:
    """A workload that may call others, as its Deployment is rendered."""

    name: str
    app: str
    track: str
    labels: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Released:
    """The manifest in force in a cluster, in the place of a plan for this machine."""

    manifest: str
    namespace: str
    gateway: str
    workloads: tuple[Workload, ...]
    outbound: tuple[Any, ...] = ()


def status(target: Target, *, as_json: bool) -> None:
    """The release's workloads; exits 1 when one is not ready."""
    stored = target.installed()
    rows = target.rows()
    if as_json:
        _json({"revision": stored.number, "workloads": rows})
    else:
        console = Console()
        last = target.history[-1]
        console.print(place.table(rows))
        console.print(f"\nrevision {stored.number}, {stored.chart['metadata']['name']} "
                      f"{stored.chart['metadata']['version']}", highlight=False)  # fmt: skip
        if last.number != stored.number:
            console.print(
                f"revision {last.number} is {last.status}: {last.description}", highlight=False
            )
    if any(row.state != "ready" for row in rows):
        raise click.exceptions.Exit(1)


def show(target: Target, *, as_json: bool) -> None:
    """Configured, live and realised share of each track, and weights changed by hand."""
    now = changes.read(target.whole())
    edits = [str(edit) for edit in target.edits()]
    told = shares.Released(target.installed().number, target.drawn(), edits)
    shares.show(now, draws.total(target.metrics(), now.epoch), told, as_json=as_json)


def roll(target: Target, console: Console, verb: str, change: Change) -> Values:
    """Change the rollout; waits where pods start, and never for an abort or a weight."""
    progress = progress_of(console)
    starts = verb.startswith(("on", "promote"))
    with progress.running():
        waiting = waiting_of(console, progress, session.TIMEOUT if starts else None)
        whole = session.roll(
            target, change, waiting, f"rollout {verb}", promotes=verb.startswith("promote")
        )
    console.print(f"revision {target.installed().number}", highlight=False)
    return whole


def logs(target: Target, selection: str | None, lines: int, *, follow: bool) -> None:
    """The application's log of each pod of `app`, `app/track` or all."""
    app, _, track = (selection or "").partition("/")
    wanted = {
        **target.labels,
        **({"app": app} if app else {}),
        **({"version": track} if track else {}),
    }
    found = [
        (pod.metadata.name or "", [one.name for one in pod.spec.containers])
        for pod in target.cluster.pods(wanted)
        if pod.metadata and pod.spec
    ]
    if not found:
        rows = target.rows()
        known = ", ".join(f"{row.app}/{row.track}" for row in rows if row.track)
        raise UsageError(
            f"there is no pod of {selection or 'the release'!r}",
            where=str(target),
            remedy=f"there are: {known or 'none yet'}",
        )
    sources = [
        (pod, CONTAINER if CONTAINER in containers else containers[0]) for pod, containers in found
    ]
    width = max(len(pod) for pod, _ in sources) if len(sources) > 1 else 0
    for pod, line in (_follow if follow else _last)(target, sources, lines):
        click.echo(f"{pod:<{width}} | {line}" if width else line)


def _last(target: Target, sources: list[tuple[str, str]], lines: int) -> Iterable[tuple[str, str]]:
    for pod, container in sources:
        try:
            text = target.cluster.log(pod, container, lines=lines)
        except ClusterError as error:
            text = f"no log: {error.what}"
        yield from ((pod, line) for line in text.splitlines())


def _follow(
    target: Target, sources: list[tuple[str, str]], lines: int
) -> Iterable[tuple[str, str]]:
    said: queue.SimpleQueue[tuple[str, str | None]] = queue.SimpleQueue()

    def read(pod: str, container: str) -> None:
        try:
            for line in target.cluster.follow(pod, container, lines):
                said.put((pod, line))
        except ClusterError as error:
            said.put((pod, f"no log: {error.what}"))
        finally:
            said.put((pod, None))

    for source in sources:
        threading.Thread(target=read, args=source, daemon=True).start()
    ended = 0
    while ended < len(sources):
        pod, line = said.get()
        if line is None:
            ended += 1
        else:
            yield pod, line


def visited(target: Target, gateway: str | None, host: str | None) -> tuple[str, str]:
    """Gateway and host of the release, where the user named none; `https://` where it has TLS."""
    values = target.whole()
    gateway = gateway or session.gateway(target)
    if values["gateway"]["tls"]["enabled"] and "://" not in gateway:
        gateway = f"https://{gateway}"
    return gateway, host or str(values["hosts"]["frontend"])


def released(target: Target) -> Released:
    """The manifest in force, for `mesh explain`; a change by hand is told on the error output."""
    from serinus.manifests import Index

    stored = target.installed()
    for edit in target.edits():
        click.echo(f"changed by hand, and not in what follows: {edit}", err=True)
    workloads = []
    for item in Index.parse(stored.manifest).of("Deployment"):
        labels = item.at("spec", "template", "metadata", "labels", default={})
        workloads.append(
            Workload(item.name, labels.get("app", ""), labels.get("version", ""), labels)
        )
    gateway = f"the ingress gateway of {target.cluster.context}"
    return Released(stored.manifest, target.cluster.namespace, gateway, tuple(workloads))


def _json(told: Any) -> None:
    click.echo(msgspec.json.format(msgspec.json.encode(told), indent=2).decode())
