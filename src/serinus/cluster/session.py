"""The verbs of a release in a cluster: deploy, preview, roll, lead back.

Enters: what the user asked for and a release. Leaves: revisions of it, or an error that says what
to do. Called by `serinus.cli`. Every change is a Helm revision; only the Helm engine writes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from serinus import rollout
from serinus.clients import helm
from serinus.clients.values import Values, given, merge, read
from serinus.cluster import desired, prerequisites, ready, split
from serinus.cluster.target import Target, kept_chart
from serinus.contracts.routing import CANARY
from serinus.errors import ClusterError, RolloutError, UsageError

ALLOWANCE: Final = 240.0
"""Seconds that a pod may take to be scheduled and to fetch its image, before it starts."""
STARTUP: Final = 60.0
"""Seconds to start, where a chart doesn't say; the bundled one's `pods.probes.startupSeconds`."""
_FIRST: Final = "first step: canary without routes"
"""Ends the description of a revision that was only the way to the next one."""
_DONE: Final = frozenset({"deployed", "superseded"})

Show = ready.Show
Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user gave to `serinus deploy`."""

    chart: Path
    files: tuple[Path, ...] = ()
    sets: tuple[str, ...] = ()

    def values(self) -> Values:
        """Values files, then `--set` expressions."""
        return given(self.files, self.sets)


@dataclass(frozen=True, slots=True)
class Waiting:
    """How to wait for pods: `seconds` None is as long as the values let them start."""

    show: Show
    say: Say
    wait: bool = True
    seconds: float | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What a deploy would change: manifests before and after, and what it would say."""

    before: str
    after: str
    edits: tuple[split.HandEdit, ...]
    said: tuple[str, ...]


def preview(target: Target, asked: Asked) -> Preview:
    """What `deploy` would change, rendered with what the cluster has; nothing is sent."""
    said: list[str] = []
    sent, first = _wanted(target, asked, said.append)
    sent = first or sent
    after = target.releases.put(asked.chart, sent, first=target.current is None, dry_run=True)
    before = target.current.manifest if target.current else ""
    return Preview(before, after, tuple(target.edits()), tuple(said))


def deploy(target: Target, asked: Asked, waiting: Waiting) -> int:
    """Install the chart or apply a change; returns the revision in force.

    Raises `ChartError`, `ClusterError`, `RolloutError` or `UsageError`; a failed rollout names pod
    and reason.
    """
    sent, first = _wanted(target, asked, waiting.say)
    return _apply(target, asked.chart, first, sent, waiting)


def roll(
    target: Target,
    change: desired.Change,
    waiting: Waiting,
    description: str,
    *,
    promotes: bool = False,
) -> Values:
    """Change the rollout, with the chart of the revision in force; returns the whole values."""
    stored = target.installed()
    _refuse_unfinished(target)
    promoted = promotes or desired.PROMOTED in stored.labels
    with kept_chart(stored) as chart, helm.defaults(chart) as laid_over:
        before = laid_over(target.values)
        sent = desired.rolled(
            target.values, change, laid_over, promoted=desired.PROMOTED in stored.labels
        )
        whole = laid_over(sent)
        prerequisites.check_rights(target.cluster, whole, before)
        first = desired.first_step(target.rolled, sent, whole)
        _apply(target, chart, first, sent, waiting, description, promoted=promoted)
    return whole


def roll_back(target: Target, revision: int | None, waiting: Waiting) -> int:
    """Lead back to an older revision, its chart included, as a new one; the epoch never falls.

    Where that brings the canary back its pods come first, and its routes when they are ready. A
    revision that was cut off, over which Helm would make no other, is finished first: then what is
    in the cluster is known, and the way back is that from any other revision.
    """
    then = target.releases.stored(revision or _before(target, target.installed().number))
    waiting.say(f"back to revision {then.number}")
    with kept_chart(then) as chart, helm.defaults(chart) as laid_over:
        prerequisites.check_rights(target.cluster, laid_over(then.values), target.whole)
        _finish(target, waiting.say)
        with kept_chart(target.installed()) as before:
            whole = helm.coalesce(before, target.values)
        sent = desired.led_back(target.values, then.values, whole, laid_over(then.values))
        first = desired.first_step(target.rolled, sent, laid_over(sent))
        return _apply(
            target,
            chart,
            first,
            sent,
            waiting,
            f"rollback to {then.number}",
            promoted=desired.PROMOTED in then.labels,
        )


def _before(target: Target, number: int) -> int:
    last = target.history[-1]
    if last.number != number and last.status not in _DONE:
        return number  # The last change failed: what was in force before it is meant.
    found = [
        item.number
        for item in target.history
        if item.number < number and item.status in _DONE and _FIRST not in item.description
    ]
    if not found:
        _refuse_unfinished(target)
        raise RolloutError(
            f"revision {number} is the first one, so there is nothing to lead back to",
            where=str(target),
            remedy="`serinus deploy --history` lists the revisions",
        )
    return found[-1]


def _finish(target: Target, say: Say) -> None:
    """Finish a revision that was cut off; raises `ClusterError` where it is a first install."""
    last = target.unfinished
    if last is None:
        return
    if not any(item.status == "deployed" for item in target.history):
        _refuse_unfinished(target)
    target.fresh()
    if target.unfinished != last:
        raise ClusterError(
            f"revision {last.number} was finished meanwhile, by somebody else",
            where=str(target),
            remedy="`serinus deploy --history` shows it; then repeat the command",
        )
    say(f"revision {last.number} was cut off, and is finished first")
    with _telling(say, "`serinus deploy --rollback` goes on with it"):
        target.releases.unlock(last.number)
    target.fresh()


def _refuse_unfinished(target: Target) -> None:
    """Raise `ClusterError` where a revision is being made or was cut off: Helm makes no other."""
    last = target.unfinished
    if last is None:
        return
    name = target.releases.name
    whenever = "when nobody is at it any more,"
    if any(item.status == "deployed" for item in target.history):
        remedy = f"{whenever} `serinus deploy --rollback` leads back to what was in force"
    else:
        remedy = (
            f"{whenever} `helm uninstall {name} -n {target.cluster.namespace}` removes what was "
            "made (Secrets and claims stay), and `serinus deploy` installs again"
        )
    raise ClusterError(
        f"revision {last.number} of {name} is {last.status} since {last.updated[:19]}: "
        "it is being made, or was cut off",
        where=str(target),
        remedy=remedy,
    )


def _wanted(target: Target, asked: Asked, say: Say) -> tuple[Values, Values | None]:
    """Values to send, and those of a first step, once the cluster has all that they need."""
    readable = target.releases.readable()
    stored = target.current if readable else None
    given = asked.values()
    extension = target.cluster.extension
    if extension.values is not None and (given or stored is None):
        if not extension.values.is_file():
            raise UsageError(
                f"there is no file of values {extension.values}",
                where=extension.where,
                remedy="make it, or remove its name from the extension",
            )
        given = merge(read(extension.values), given)
        say(f"below the given values: {extension.values}, named by the context")
    promoted = stored is not None and desired.PROMOTED in stored.labels
    with helm.defaults(asked.chart) as laid_over:
        sent = desired.deployed(
            target.values if stored else None, given, laid_over, promoted=promoted
        )
        # Its chart may be an older one, with other defaults.
        before = target.whole if stored else None
        # Raises where revisions are not readable, too: that right is one of those asked for.
        whole = laid_over(sent)
        prerequisites.check(target.cluster, whole, before)
        first = desired.first_step(target.rolled if stored else None, sent, whole)
    _refuse_unfinished(target)
    for line in rollout.overruled(given, sent):
        say(line)
    return sent, first


def _apply(
    target: Target,
    chart: Path,
    first: Values | None,
    sent: Values,
    waiting: Waiting,
    description: str = "",
    *,
    promoted: bool | None = None,
) -> int:
    for edit in target.edits():
        waiting.say(f"overwrites a change by hand: {edit}")
    labelled = target.current is not None and desired.PROMOTED in target.current.labels
    labels = {desired.PROMOTED: "true"} if promoted or (promoted is None and labelled) else {}
    if labelled and not labels:
        labels = {desired.PROMOTED: "null"}  # Helm keeps a label until it is set to this word.
    if first is not None:
        waiting.say("the canary's pods first, its routes when they are ready")
        about = f"{description}, {_FIRST}".lstrip(", ")
        number = _put(target, chart, first, about, labels, waiting.say)
        with _telling(waiting.say, f"revision {number} has the canary's pods, without its routes"):
            _await_canary(target, waiting)
    number = _put(target, chart, sent, description, labels, waiting.say)
    if waiting.wait:
        with _telling(waiting.say, f"revision {number} is in force; its pods go on by themselves"):
            seconds = _patience(target, waiting)
            ready.wait(target.cluster, target.labels, waiting.show, seconds=seconds)
    return number


def _patience(target: Target, waiting: Waiting) -> float:
    if waiting.seconds is not None:
        return waiting.seconds
    probes = (target.whole.get("pods") or {}).get("probes") or {}
    # One pod of a workload starts after the other.
    most = max((row.wanted for row in target.rows()), default=1)
    return ALLOWANCE + most * float(probes.get("startupSeconds", STARTUP))


def _put(
    target: Target,
    chart: Path,
    values: Values,
    description: str,
    labels: Mapping[str, str],
    say: Say,
) -> int:
    before = target.history[-1].number if target.history else 0
    if before and target.releases.made(before + 1):
        raise ClusterError(
            f"revision {before + 1} was made meanwhile, by somebody else",
            where=str(target),
            remedy="`serinus deploy --history` shows it; then repeat the command",
        )
    unsure = "`serinus deploy --history` shows whether the revision was made"
    with _telling(say, unsure):
        target.releases.put(chart, values, first=not before, description=description, labels=labels)
    target.fresh()
    return target.history[-1].number


@contextmanager
def _telling(say: Say, state: str) -> Iterator[None]:
    """Tell whoever presses Ctrl-C what is in the cluster now."""
    try:
        yield
    except KeyboardInterrupt:
        say(f"interrupted: {state}")
        raise


def _await_canary(target: Target, waiting: Waiting) -> None:
    found = target.cluster.workloads({**target.labels, "version": CANARY})
    names = frozenset(item.metadata.name or "" for item in found if item.metadata)
    # Also with --no-wait: without its pods the canary's visitors would meet 503.
    seconds = _patience(target, waiting)
    ready.wait(target.cluster, target.labels, waiting.show, seconds=seconds, names=names)
