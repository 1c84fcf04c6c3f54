"""`serinus logs`: what processes wrote.

Enters: a selection such as `app-frontend/canary`. Leaves: lines, each with its source when there
are several. Reads the files in `logs/` of the state directory, so it works after an end too.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import click

from serinus.cli import place
from serinus.cli.options import STATE
from serinus.errors import UsageError

PERIOD = 0.2
"""Seconds between looks at growing files."""


@dataclass(slots=True)
class Tail:
    """A log file read to some place."""

    path: Path
    name: str
    offset: int = 0
    rest: bytes = b""

    def last(self, lines: int) -> list[str]:
        """The last lines; reading goes on behind them."""
        data = self.path.read_bytes()
        self.offset = len(data)
        return data.decode(errors="replace").splitlines()[-lines:] if lines else []

    def more(self) -> list[str]:
        """Whole lines that were added; a file that was cut is read from its start."""
        size = self.path.stat().st_size
        if size < self.offset:
            self.offset, self.rest = 0, b""
        if size == self.offset:
            return []
        with self.path.open("rb") as file:
            file.seek(self.offset)
            data = file.read()
        self.offset += len(data)
        *whole, self.rest = (self.rest + data).split(b"\n")
        return [line.decode(errors="replace") for line in whole]


def select(folder: Path, selection: str | None) -> list[Path]:
    """Logs of `app`, `app/track` or a program; all without a selection."""
    found = sorted(folder.glob("*.log"))
    if selection is None:
        return found
    name = selection.replace("/", "-")
    chosen = [path for path in found if path.stem == name or path.stem.startswith(name + "-")]
    if not chosen:
        raise UsageError(
            f"there is no log of {selection!r}",
            where=str(folder),
            remedy="there are: " + (", ".join(path.stem for path in found) or "none yet"),
        )
    return chosen


@click.command()
@click.argument("selection", required=False, metavar="[APP[/TRACK]]")
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written.")
@click.option(
    "-n", "--lines", type=click.IntRange(min=0), default=20, show_default=True,
    help="How many last lines of each.",
)  # fmt: skip
@STATE
@place.cluster
def logs(
    selection: str | None, follow: bool, lines: int, state: Path | None,
    context: str | None, namespace: str | None,
) -> None:  # fmt: skip
    """Show the logs of one workload (`app-frontend/canary`), of a program (`envoy`), or of all."""
    from serinus.local import session

    if target := place.chosen(state, context, namespace):
        from serinus.cli import pod_logs

        pod_logs.logs(target, selection, lines, follow=follow)
        return
    tails = [
        Tail(path, path.stem) for path in select(session.workspace(state).path("logs"), selection)
    ]
    width = max((len(tail.name) for tail in tails), default=0) if len(tails) > 1 else 0
    for tail in tails:
        for line in tail.last(lines):
            click.echo(_marked(tail, line, width))
    if follow:
        for line in _follow(tails, width):
            click.echo(line)


def _follow(tails: list[Tail], width: int) -> Iterator[str]:
    while True:
        for tail in tails:
            yield from (_marked(tail, line, width) for line in tail.more())
        time.sleep(PERIOD)


def _marked(tail: Tail, line: str, width: int) -> str:
    return f"{tail.name:<{width}} | {line}" if width else line
