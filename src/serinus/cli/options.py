"""Options and output that several commands share.

Enters: nothing. Leaves: click decorators and the table of processes. Called by the command groups
that deal with the run on one machine.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rich.table import Table

    from serinus.local.fleet import Row

Command = TypeVar("Command", bound=Callable[..., Any])

STATE = click.option(
    "--state",
    type=click.Path(file_okay=False, path_type=Path),
    default=None,
    envvar="SERINUS_STATE",
    help="State directory.  [default: .serinus]",
)


def given(command: Command) -> Command:
    """`-f`, `--set`, `--chart`."""
    for option in (
        click.option(
            "--chart",
            type=click.Path(exists=True, file_okay=False, path_type=Path),
            help="Directory of the chart.  [default: the project's]",
        ),
        click.option(
            "--set",
            "sets",
            multiple=True,
            metavar="PATH=VALUE",
            help="One value, as Helm reads it.",
        ),
        click.option(
            "-f",
            "--values",
            "files",
            multiple=True,
            type=click.Path(dir_okay=False, path_type=Path),
            help="File of values; later ones win.",
        ),
    ):
        command = option(command)
    return command


def values(command: Command) -> Command:
    """`-f`, `--set`, `--chart`, `--port`."""
    port = click.option(
        "--port",
        type=click.IntRange(1, 65535),
        help="Port of the gateway.  [default: as before, or 8080]",
    )
    return given(port(command))


def difference(before: Sequence[str], after: Sequence[str]) -> bool:
    """Print two manifests' lines as a coloured difference; is there any?"""
    import difflib

    lines = list(difflib.unified_diff(before, after, "in force", "new", lineterm=""))
    for line in lines:
        click.secho(line, fg={"+": "green", "-": "red"}.get(line[:1]))
    return bool(lines)


def table(rows: list[Row]) -> Table:
    """The processes as people read them."""
    from rich.table import Table
    from rich.text import Text

    colours = {"ready": "green", "waiting": "red", "unready": "red"}
    made = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("workload", "track", "pid", "state", "restarts", "address"):
        made.add_column(name, justify="right" if name in {"pid", "restarts"} else "left")
    for row in rows:
        made.add_row(
            row.app or row.name,
            row.track,
            str(row.pid or ""),
            Text(
                row.state + (f": {row.failure}" if row.failure else ""),
                colours.get(row.state, "yellow"),
            ),
            str(row.restarts),
            row.address,
        )
    return made


def sorted_rows(rows: list[Row]) -> list[Row]:
    """Pods by app and track, then programs."""
    return sorted(
        rows, key=lambda row: (row.kind != "pod", row.app, row.track != "stable", row.name)
    )
