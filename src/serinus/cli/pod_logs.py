"""`serinus logs` in a cluster: what the containers of pods wrote.

Enters: a release and a selection such as `app-frontend/canary`. Leaves: lines, each with its pod
when there are several; what cannot be read is told on the error output. Called by
`serinus.cli.logs`.
"""

from __future__ import annotations

import contextlib
import queue
import threading
import time
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Final, NamedTuple

import click

from serinus.errors import ClusterError, UnreachableError, UsageError

if TYPE_CHECKING:
    from lightkube.resources.core_v1 import Pod

    from serinus.cluster.target import Target

CONTAINER: Final = "app"
LOOK: Final = 2.0
"""Seconds between looks for new pods and restarted containers."""


class Source(NamedTuple):
    """One run of a container; a restart is another one, with a log of its own."""

    pod: str
    container: str
    run: int
    started: bool


def logs(target: Target, selection: str | None, lines: int, *, follow: bool) -> None:
    """Print the application's log of each pod of `app`, `app/track` or all.

    Following goes on with pods that come later, until Ctrl-C. Exits 1 when no log could be read.
    """
    app, _, track = (selection or "").partition("/")
    wanted = {
        **target.labels,
        **({"app": app} if app else {}),
        **({"version": track} if track else {}),
    }
    found = _sources(target, wanted)
    if not found:
        known = ", ".join(f"{row.app}/{row.track}" for row in target.rows() if row.track)
        raise UsageError(
            f"there is no pod of {selection or 'the release'!r}",
            where=str(target),
            remedy=f"there are: {known or 'none yet'}",
        )
    width = max(len(source.pod) for source in found) if follow or len(found) > 1 else 0
    told = _follow(target, wanted, found, lines) if follow else _last(target, found, lines)
    for pod, line in told:
        click.echo(f"{pod:<{width}} | {line}" if width else line)


def _sources(target: Target, wanted: Mapping[str, str]) -> list[Source]:
    return [_source(pod) for pod in target.cluster.pods(wanted)]


def _source(pod: Pod) -> Source:
    names = [one.name for one in pod.spec.containers] if pod.spec else []
    name = CONTAINER if CONTAINER in names else next(iter(names), "")
    statuses = (pod.status.containerStatuses if pod.status else None) or ()
    status = next((one for one in statuses if one.name == name), None)
    state, before = (status.state, status.lastState) if status else (None, None)
    return Source(
        (pod.metadata.name if pod.metadata else None) or "",
        name,
        status.restartCount if status else 0,
        # Between two runs the log of the one that ended is there.
        bool((state and (state.running or state.terminated)) or (before and before.terminated)),
    )


def _last(target: Target, sources: list[Source], lines: int) -> Iterator[tuple[str, str]]:
    refused = 0
    for source in sources:
        try:
            text = target.cluster.log(source.pod, source.container, lines=lines)
        except ClusterError as error:
            refused += 1
            click.echo(f"{source.pod}: no log: {error.what}", err=True)
            continue
        yield from ((source.pod, line) for line in text.splitlines())
    if refused == len(sources):
        raise click.exceptions.Exit(1)


def _follow(
    target: Target, wanted: Mapping[str, str], sources: list[Source], lines: int
) -> Iterator[tuple[str, str]]:
    said: queue.SimpleQueue[tuple[str, str]] = queue.SimpleQueue()
    newest: dict[str, int] = {}
    tail: int | None = lines
    looked = time.monotonic()
    while True:
        for source in sources:
            if source.started and newest.get(source.pod, -1) < source.run:
                newest[source.pod] = source.run
                about = (target, source, tail, said, newest)
                threading.Thread(target=_read, args=about, daemon=True).start()
        sources, tail = [], None  # What comes later is new from its first line.
        with contextlib.suppress(queue.Empty):
            yield said.get(timeout=LOOK)
        if time.monotonic() - looked >= LOOK:
            looked = time.monotonic()
            try:
                sources = _sources(target, wanted)
            except UnreachableError as error:
                click.echo(f"looking for new pods: {error.what}", err=True)


def _read(
    target: Target,
    source: Source,
    lines: int | None,
    said: queue.SimpleQueue[tuple[str, str]],
    newest: Mapping[str, int],
) -> None:
    """Put one run's lines; a stream that is cut goes on, unless a later run is read already."""
    last: float | None = None
    while newest[source.pod] == source.run:
        # A line may come twice at a cut; none is lost.
        since = None if last is None else int(time.monotonic() - last) + 1
        try:
            for line in target.cluster.follow(source.pod, source.container, lines, since):
                said.put((source.pod, line))
                last, lines = time.monotonic(), None
        except UnreachableError as error:
            click.echo(f"{source.pod}: log cut: {error.what}", err=True)
            time.sleep(LOOK)
        except ClusterError as error:
            click.echo(f"{source.pod}: no log: {error.what}", err=True)
            return
        else:
            return
