"""`serinus rollout`: show and change the split between stable and canary.

Enters: a verb. Leaves: a new values overlay, applied like any other change; the new weights hold
within a second and no process is touched by a weight. In a cluster each change is a Helm revision.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click
from rich.console import Console

from serinus.cli import place, shares
from serinus.cli.options import STATE
from serinus.cli.progress import Progress

if TYPE_CHECKING:
    from serinus.cluster.target import Target

PERCENT: Final = click.IntRange(0, 100)


@click.group()
def rollout() -> None:
    """Show or change the split between stable and canary."""


@rollout.command()
@STATE
@place.cluster
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def show(state: Path | None, context: str | None, namespace: str | None, as_json: bool) -> None:
    """Show the epoch, and each track's configured and realised share of new visitors.

    In a cluster the live share stands between them: what the gateway is told now.
    """
    from serinus import rollout as changes
    from serinus.local import draws, session

    if target := place.chosen(state, context, namespace):
        from serinus.cli import release

        release.show(target, as_json=as_json)
        return
    space = session.workspace(state)
    now = changes.read(session.running(state).values)
    shares.show(now, draws.counted(session.rows(space), now.epoch), as_json=as_json)


@rollout.command(name="set")
@click.option("--canary", type=PERCENT, required=True, help="Percent of new visitors for canary.")
@STATE
@place.cluster
def set_(canary: int, state: Path | None, context: str | None, namespace: str | None) -> None:
    """Change the weight in the same epoch: nobody who was drawn moves."""
    from serinus import rollout as changes

    where = place.chosen(state, context, namespace) or state
    _change(
        where,
        f"set --canary {canary}",
        lambda overlay, values: changes.set_weight(overlay, values, canary),
    )


@rollout.command()
@STATE
@place.cluster
def abort(state: Path | None, context: str | None, namespace: str | None) -> None:
    """Bring everyone to stable in a new epoch and switch the canary off."""
    from serinus import rollout as changes

    where = place.chosen(state, context, namespace) or state
    _change(where, "abort", changes.abort)


@rollout.command()
@STATE
@place.cluster
def promote(state: Path | None, context: str | None, namespace: str | None) -> None:
    """Give stable the canary's images, models and settings; new epoch, canary off."""
    from serinus import rollout as changes

    where = place.chosen(state, context, namespace) or state
    _change(where, "promote", changes.promote, starts=True, promotes=True)


@rollout.command()
@click.option(
    "--canary", type=PERCENT, default=10, show_default=True, help="Percent of new visitors."
)
@STATE
@place.cluster
def on(canary: int, state: Path | None, context: str | None, namespace: str | None) -> None:
    """Switch the canary on: its pods first, and when they are ready its routes, in a new epoch."""
    from serinus import rollout as changes

    target = place.chosen(state, context, namespace)
    if target:
        # A cluster's release finds its first step itself.
        _change(
            target,
            f"on --canary {canary}",
            lambda overlay, values: changes.switch_on(overlay, values, canary)[1],
            starts=True,
        )
        return
    steps: list[dict[str, Any]] = []

    def first(overlay: dict[str, Any], values: Any) -> dict[str, Any]:
        steps.extend(changes.switch_on(overlay, values, canary))
        return steps[0]

    _change(state, "on", first)
    _change(state, "on", lambda _, __: steps[1])


def _change(
    where: Target | Path | None,
    verb: str,
    change: Callable[[dict[str, Any], Any], dict[str, Any]],
    *,
    starts: bool = False,
    promotes: bool = False,
) -> None:
    """Apply a change; `starts` says that pods start, `promotes` that stable takes the canary's."""
    from serinus import rollout as changes
    from serinus.local import session

    console = Console()
    if where is None or isinstance(where, Path):
        progress = Progress(console, "ready")
        with progress.running():
            whole = session.roll(session.workspace(where), change, progress.show).values
    else:
        from serinus.cli import release

        whole = release.roll(where, console, verb, change, starts=starts, promotes=promotes)
    now = changes.read(whole)
    console.print(
        f"epoch {now.epoch}: stable {100 - now.drawn} %, canary {now.drawn} %"
        + ("" if now.enabled else ", canary off"),
        highlight=False,
    )
