"""`serinus deploy`: install the chart in a cluster, change it, lead it back.

Enters: values, a context, a namespace. Leaves: a Helm revision and a live table while its pods get
ready, or what would change. The work is done by `serinus.cluster.session`.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click
from rich.console import Console
from rich.table import Table

from serinus.cli import place
from serinus.cli.options import difference, given
from serinus.cli.progress import progress_of, waiting_of
from serinus.errors import UsageError

if TYPE_CHECKING:
    from serinus.cluster.session import Asked
    from serinus.cluster.target import Target

LAST = -1
"""`--rollback` without a revision: the one before."""


@click.command(epilog="Example: serinus deploy --namespace serinus --set image.tag=1.2.0")
@given
@place.cluster
@click.option("--wait/--no-wait", "wait", default=True, help="Wait until all pods are ready.")
@click.option(
    "--timeout", type=click.IntRange(min=1),
    help="Seconds that pods may take.  [default: as the startup probes allow]",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Print what would be applied; change nothing.")
@click.option("--diff", "diff", is_flag=True, help="Show what would change; exits 1 if anything.")
@click.option(
    "--rollback", type=int, is_flag=False, flag_value=LAST, default=None, metavar="[REVISION]",
    help="Lead back to a revision, by default the one before; the epoch never falls.",
)  # fmt: skip
@click.option("--history", is_flag=True, help="List the revisions.")
def deploy(
    files: tuple[Path, ...], sets: tuple[str, ...], chart: Path | None, context: str | None,
    namespace: str | None, wait: bool, timeout: int | None, dry_run: bool, diff: bool,
    rollback: int | None, history: bool,
) -> None:  # fmt: skip
    """Install the chart in a cluster, or apply a change to it.

    Prerequisites are checked first, all at once. Every change is a Helm revision; weights and
    epochs of the release stay what `serinus rollout` made them. Without any values those in force
    stay.
    """
    if sum((dry_run, diff, history, rollback is not None)) > 1:
        raise UsageError("give one of --dry-run, --diff, --rollback and --history")
    asked = bool(files or sets or chart)
    if rollback is not None and asked:
        raise UsageError("a rollback takes chart and values of its revision", where="--rollback")
    if history and asked:
        raise UsageError("the revisions are there as they are", where="--history")
    if rollback is not None and rollback != LAST and rollback < 1:
        raise UsageError(
            f"there is no revision {rollback}", where="--rollback", remedy="the first one is 1"
        )
    from serinus.clients import helm
    from serinus.cluster import session

    target = place.target(context, namespace)
    console = Console()
    if history:
        _show_history(console, target)
        return
    if dry_run or diff:
        _preview(target, session.Asked(chart or helm.bundled(), files, sets), diff=diff)
        return
    began = time.monotonic()
    progress = progress_of(console)
    with progress.running():
        waiting = waiting_of(console, progress, wait=wait, seconds=timeout)
        if rollback is not None:
            number = session.roll_back(target, None if rollback == LAST else rollback, waiting)
        else:
            number = session.deploy(
                target, session.Asked(chart or helm.bundled(), files, sets), waiting
            )
    state = "ready" if wait else "applied"
    console.print(f"revision {number} {state} in {time.monotonic() - began:.1f} s", highlight=False)
    _show_addresses(console, target)


def _show_addresses(console: Console, target: Target) -> None:
    values = target.whole
    scheme = "https" if values["gateway"]["tls"]["enabled"] else "http"
    console.print(f"  web page      {scheme}://{values['hosts']['frontend']}", highlight=False)
    if values["api"]["expose"]:
        console.print(f"  API           {scheme}://{values['hosts']['api']}", highlight=False)
    console.print("  the hosts must lead to the ingress gateway", highlight=False)
    if (gateway := target.cluster.extension.gateway) and scheme == "http":
        asked = f"curl -i -H 'Host: {values['hosts']['frontend']}' http://{gateway}/"
        console.print(f"  to try it     {asked}", highlight=False, soft_wrap=True)


def _show_history(console: Console, target: Target) -> None:
    target.installed()
    made = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("revision", "updated", "status", "chart", "description"):
        made.add_column(name, justify="right" if name == "revision" else "left")
    for item in target.history:
        made.add_row(str(item.number), item.updated[:19], item.status, item.chart, item.description)
    console.print(made)


def _preview(target: Target, asked: Asked, *, diff: bool) -> None:
    from serinus.cluster import session

    found = session.preview(target, asked)
    for line in found.said:
        click.secho(line, fg="yellow", err=True)
    if not diff:
        click.echo("\n".join(hidden(found.after)))
        return
    for edit in found.edits:
        click.secho(f"overwrites a change by hand: {edit}", fg="yellow")
    changed = difference(list(hidden(found.before)), list(hidden(found.after)))
    if changed or found.edits:
        raise click.exceptions.Exit(1)
    click.echo("no difference")


def hidden(manifest: str) -> Iterator[str]:
    """Lines of a manifest without the contents of Secrets; a digest shows that one changed.

    Space at a document's end is left out: Helm 3 and 4 keep different amounts of it.
    """
    import re

    for document in re.split(r"^---\s*$", manifest, flags=re.MULTILINE):
        lines = document.strip("\n").rstrip().splitlines()
        if lines:
            yield "---"
        secret = re.search(r"^kind: *[\"']?Secret\b", document, re.MULTILINE) is not None
        yield from _without_contents(lines) if secret else lines


def _without_contents(lines: list[str]) -> Iterator[str]:
    import hashlib

    import yaml

    # Read and written anew: a value may take several lines, and none of them may be missed.
    yield from (line for line in lines if line.startswith("#"))
    secret = yaml.safe_load("\n".join(lines))
    for part in ("data", "stringData"):
        for key, value in (secret.get(part) or {}).items():
            digest = hashlib.sha256(str(value).encode()).hexdigest()[:8]
            secret[part][key] = f"(secret, {digest})"
    yield from yaml.safe_dump(secret, sort_keys=False, width=1000).splitlines()
