"""What a command shows while processes, or a cluster's pods, get ready.

Enters: rows as they are now, as often as they change. Leaves: a live table on a terminal, lines
elsewhere. Called by the commands that change a system: `up`, `down`, `rollout`, `deploy`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from rich.live import Live

from serinus.cli import place
from serinus.cli.options import sorted_rows, table

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from serinus.cluster.ready import Row as ClusterRow
    from serinus.cluster.session import Waiting
    from serinus.local.fleet import Row


class Progress:
    """A live table on a terminal; elsewhere one line for each process that gets ready."""

    def __init__(
        self,
        console: Console,
        verb: str,
        picture: Callable[[list[Any]], Table] = lambda rows: table(sorted_rows(rows)),
    ) -> None:
        self._console = console
        self._verb = verb
        self._picture = picture
        self._seen: dict[str, str] | None = None
        self._live: Live | None = None

    def show(self, rows: Sequence[Row | ClusterRow]) -> None:
        """Take the processes, or a cluster's workloads, as they are now."""
        if self._live:
            self._live.update(self._picture(list(rows)))
        elif self._seen is None:
            self._seen = {row.name: row.state for row in rows}
        else:
            for row in rows:
                if self._seen.get(row.name) != row.state and row.state in {self._verb, "waiting"}:
                    about = f": {row.failure}" if row.failure else ""
                    self._console.print(f"{row.name} {row.state}{about}", highlight=False)
                self._seen[row.name] = row.state

    @contextlib.contextmanager
    def running(self) -> Iterator[Progress]:
        """Show progress while this is open."""
        if not self._console.is_terminal:
            yield self
            return
        with Live(console=self._console, refresh_per_second=20) as self._live:
            yield self
        self._live = None


def progress_of(console: Console) -> Progress:
    """A live table of a cluster's workloads."""
    return Progress(console, "ready", place.table)


def waiting_of(
    console: Console, progress: Progress, *, wait: bool, seconds: float | None = None
) -> Waiting:
    """How the verbs of a cluster show their progress."""
    from serinus.cluster.session import Waiting

    return Waiting(
        progress.show,
        lambda line: console.print(line, highlight=False, markup=False, soft_wrap=True),
        wait,
        seconds,
    )
