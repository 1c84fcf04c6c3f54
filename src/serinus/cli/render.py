"""`serinus render` and `serinus diff`: the chart for this machine, and what a change would do.

Enters: the options of `serinus up`. Leaves: YAML, or a unified diff and the processes it touches.
Nothing is written and nothing is started.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from serinus.cli.options import STATE, difference, values

if TYPE_CHECKING:
    from serinus.local.plan import Plan


@click.command()
@values
@STATE
def render(
    files: tuple[Path, ...],
    sets: tuple[str, ...],
    port: int | None,
    chart: Path | None,
    state: Path | None,
) -> None:
    """Print the chart as `serinus up` would render it; line numbers are those of `mesh explain`."""
    from serinus.local import session

    prepared = session.prepare(session.workspace(state), session.Asked(files, sets, port, chart))
    click.echo(prepared.plan.manifest, nl=False)


@click.command()
@values
@STATE
def diff(
    files: tuple[Path, ...],
    sets: tuple[str, ...],
    port: int | None,
    chart: Path | None,
    state: Path | None,
) -> None:
    """Show what `serinus up` with these options would change; exits 1 when it would change any."""
    from serinus.local import session

    space = session.workspace(state)
    prepared = session.prepare(space, session.Asked(files, sets, port, chart))
    before = session.in_force(space)
    changed = difference(
        before.manifest.splitlines() if before else [], prepared.plan.manifest.splitlines()
    )
    for line in touched(before, prepared.plan):
        click.echo(line)
    if changed:
        raise click.exceptions.Exit(1)
    click.echo("no difference")


def touched(before: Plan | None, after: Plan) -> list[str]:
    """What happens to processes: started, replaced, stopped."""
    old = {item.name: item for item in before.workloads} if before else {}
    new = {item.name: item for item in after.workloads}
    told = [f"starts {name}" for name in new if name not in old]
    told += [f"stops {name}" for name in old if name not in new]
    for name in new.keys() & old.keys():
        if new[name].template != old[name].template:
            told.append(f"replaces {name}")
        elif new[name].replicas != old[name].replicas:
            told.append(f"{name}: {old[name].replicas} > {new[name].replicas} pods")
    return sorted(told) or ["touches no process"]
