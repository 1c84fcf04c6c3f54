"""`serinus up`, `down` and `status`.

Enters: options. Leaves: a live table while processes get ready, addresses, exit codes. The work is
done by `serinus.local.session`.
"""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console

from serinus.cli import place
from serinus.cli.options import STATE, sorted_rows, table, values
from serinus.cli.progress import Progress

if TYPE_CHECKING:
    from serinus.local.session import Prepared, System


@click.command(
    epilog="Example: serinus up --set rollout.weights.canary=25,rollout.weights.stable=75"
)
@values
@STATE
@click.option("--foreground", is_flag=True, help="Stay; Ctrl-C stops everything.")
@click.option("--plan", "only_plan", is_flag=True, help="Print the plan and start nothing.")
def up(
    files: tuple[Path, ...],
    sets: tuple[str, ...],
    port: int | None,
    chart: Path | None,
    state: Path | None,
    foreground: bool,
    only_plan: bool,
) -> None:
    """Start the whole system on this machine, or apply a change to the running one.

    The chart is rendered with values for one machine, and each Deployment becomes processes behind
    a real Envoy. Returns when everything is ready; `serinus down` ends it.
    """
    from serinus.local import session

    asked = session.Asked(files, sets, port, chart)
    space = session.workspace(state)
    console = Console()
    if only_plan:
        show_plan(console, session.prepare(space, asked))
        return
    began = time.monotonic()
    progress = Progress(console, "ready")
    if foreground:
        signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with progress.running():
            system = session.up(
                space, asked, progress.show, lambda line: console.print(line, highlight=False)
            )
        show_addresses(console, system, time.monotonic() - began)
        if foreground:
            console.print("Ctrl-C stops everything")
            session.follow(space)
    except KeyboardInterrupt:
        if not foreground:
            console.print("what was started goes on: `serinus status` shows it, `down` ends it")
            raise
    finally:
        if foreground:
            progress = Progress(console, "stopped")
            with progress.running():
                session.down(space, progress.show)


def show_addresses(console: Console, system: System, seconds: float) -> None:
    """Where to look."""
    console.print(f"\nready in {seconds:.1f} s, state in {system.state}", highlight=False)
    rows = [("web page", system.frontend), ("API", system.api)]
    for name, address in (*rows, *system.places):
        if address:
            console.print(f"  {name:<14}{address}", highlight=False, soft_wrap=True)
    for line in system.plan.absent:
        console.print(f"  {line}", highlight=False)


def show_plan(console: Console, prepared: Prepared) -> None:
    """The plan, then what of the chart has no effect here."""
    plan = prepared.plan
    console.print(f"state {plan.state}, gateway {plan.gateway.addresses[0]}:{plan.gateway.port}")
    for workload in plan.workloads:
        console.print(
            f"\n[bold]{workload.name}[/] {workload.replicas} of {workload.app}/{workload.track}, "
            f"template {workload.template.digest()}, from {workload.source}",
            highlight=False,
        )
        console.print("  " + " ".join(workload.template.argv), highlight=False, soft_wrap=True)
        for name, value in workload.template.env.items():
            shown = (
                "(secret)"
                if name.endswith(("_KEY", "_PASSWORD", "DATABASE_URL")) and value
                else value
            )
            console.print(f"    {name}={shown}", highlight=False, soft_wrap=True, markup=False)
    for daemon in plan.daemons:
        console.print(f"\n[bold]{daemon.name}[/] {daemon.about}", highlight=False)
        console.print("  " + " ".join(daemon.argv), highlight=False, soft_wrap=True, markup=False)
    for line in plan.absent:
        console.print(line, highlight=False)
    console.print("\n[bold]without effect on one machine[/]")
    for item in prepared.without_effect:
        field = f"{item.kind} {item.path}".strip()
        console.print(f"  {field}: {item.reason}", highlight=False, soft_wrap=True, markup=False)


@click.command()
@STATE
def down(state: Path | None) -> None:
    """Stop the system and everything it started, also after its supervisor was killed."""
    from serinus.local import session

    console = Console()
    progress = Progress(console, "stopped")
    with progress.running():
        ended = session.down(session.workspace(state), progress.show)
    console.print(f"{ended} processes ended" if ended else "nothing was running", highlight=False)


@click.command()
@STATE
@place.cluster
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def status(state: Path | None, context: str | None, namespace: str | None, as_json: bool) -> None:
    """Show the system's processes, or its workloads in a cluster; exits 1 when one is not ready."""
    from serinus.local import control, session

    if target := place.chosen(state, context, namespace):
        from serinus.cli import release

        release.status(target, as_json=as_json)
        return
    space = session.workspace(state)
    rows = sorted_rows(session.rows(space))
    if as_json:
        click.echo(control.shown(rows))
    else:
        console = Console()
        console.print(table(rows))
        if session.in_force(space):
            show_rest(console, session.running(state))
    if any(row.state != "ready" for row in rows):
        raise click.exceptions.Exit(1)


def show_rest(console: Console, system: System) -> None:
    """Addresses below the table."""
    console.print()
    for name, address in (("web page", system.frontend), ("API", system.api), *system.places):
        if address:
            console.print(f"  {name:<14}{address}", highlight=False, soft_wrap=True)
