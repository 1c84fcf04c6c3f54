"""Which system a command speaks to: the run on this machine, or a release in a cluster.

Enters: `--state`, `--context` and `--namespace`. Leaves: a cluster's `Target`, or None for this
machine, and one line that says which, on the error output so that pipes stay clean. Called by every
command that works on both.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from serinus.errors import UsageError

if TYPE_CHECKING:
    from rich.table import Table

    from serinus.cluster.ready import Row
    from serinus.cluster.target import Target

Command = TypeVar("Command", bound=Callable[..., Any])


def cluster(command: Command) -> Command:
    """`--context` and `--namespace`."""
    for option in (
        click.option("--namespace", help="Namespace of the release.  [default: the context's]"),
        click.option(
            "--context",
            help="Context of KUBECONFIG, so a cluster.  [default: the current]",
        ),
    ):
        command = option(command)
    return command


def chosen(state: Path | None, context: str | None, namespace: str | None) -> Target | None:
    """The release that is meant; None is the run on this machine.

    A cluster when one of its options is given, or when nothing runs here and a cluster is
    configured. Raises `UsageError` when both are named; SERINUS_STATE gives way to a cluster.
    """
    from serinus.clients import kubeconfig
    from serinus.local import session

    named = context is not None or namespace is not None
    if named and state is not None and not _by_environment():
        raise UsageError(
            "a state directory is on this machine, a context is a cluster's",
            where="--state",
            remedy="give --state, or --context and --namespace",
        )
    space = session.workspace(state)
    here = state is not None or (space.root.exists() and space.supervised())
    if not named and (here or not kubeconfig.configured()):
        click.echo(f"this machine: {space.root}", err=True)
        return None
    return target(context, namespace)


def _by_environment() -> bool:
    """Does the state directory come from SERINUS_STATE?"""
    running = click.get_current_context(silent=True)
    source = running.get_parameter_source("state") if running else None
    return source is click.core.ParameterSource.ENVIRONMENT


def asked(state: Path | None, context: str | None, namespace: str | None) -> Target | None:
    """As `chosen`, for commands that work without any system: a cluster only when it is named."""
    if context is None and namespace is None:
        return None
    return chosen(state, context, namespace)


def target(context: str | None, namespace: str | None) -> Target:
    """The release in a cluster, named on the error output."""
    from serinus.clients.kubernetes import Kubernetes
    from serinus.cluster.target import Target

    found = Target(Kubernetes.connect(context, namespace))
    click.echo(str(found), err=True)
    return found


def table(rows: list[Row]) -> Table:
    """A cluster's workloads as people read them."""
    from rich.table import Table
    from rich.text import Text

    colours = {"ready": "green", "failed": "red"}
    made = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("workload", "track", "pods", "state", "restarts"):
        made.add_column(name, justify="right" if name in {"pods", "restarts"} else "left")
    for row in rows:
        state = row.state + (f": {row.failure}" if row.failure else "")
        made.add_row(
            row.app if row.track else row.name,
            row.track,
            f"{row.ready}/{row.wanted}",
            Text(state, colours.get(row.state, "yellow")),
            str(row.restarts),
        )
    return made
