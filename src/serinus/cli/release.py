"""What `status`, `rollout`, `simulate` and `mesh explain` do with a release in a cluster.

Enters: the release, and what the command was asked. Leaves: tables, lines, JSON, as the commands
show them for the run on this machine. Called by those commands once `serinus.cli.place` chose.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
import msgspec
from rich.console import Console

from serinus import rollout as changes
from serinus.cli import place, shares
from serinus.cli.progress import progress_of, waiting_of
from serinus.cluster import session
from serinus.cluster.target import gateway as gateway_of
from serinus.local import draws

if TYPE_CHECKING:
    from serinus.clients.values import Values
    from serinus.cluster.desired import Change
    from serinus.cluster.target import Target


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
    """The release's workloads; exits 1 when one is not ready, or none is there."""
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
    if not rows or any(row.state != "ready" for row in rows):
        raise click.exceptions.Exit(1)


def show(target: Target, *, as_json: bool) -> None:
    """Configured, live and realised share of each track, and weights changed by hand."""
    now = changes.read(target.whole)
    pages, refused = target.metrics()
    told = shares.Released(
        target.installed().number, target.drawn(), [str(edit) for edit in target.edits()], refused
    )
    # A pod's draws without the others' would tell another split than visitors met.
    drawn = None if refused else draws.total(pages, now.epoch)
    shares.show(now, drawn, told, as_json=as_json)


def roll(
    target: Target, console: Console, verb: str, change: Change, *, starts: bool, promotes: bool
) -> Values:
    """Change the rollout; waits where pods start, and never for an abort or a weight."""
    progress = progress_of(console)
    with progress.running():
        waiting = waiting_of(console, progress, wait=starts)
        whole = session.roll(target, change, waiting, f"rollout {verb}", promotes=promotes)
    console.print(f"revision {target.installed().number}", highlight=False)
    return whole


def visited(target: Target, gateway: str | None, host: str | None) -> tuple[str, str]:
    """Gateway and host of the release, where the user named none; `https://` where it has TLS."""
    values = target.whole
    gateway = gateway or gateway_of(target)
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
