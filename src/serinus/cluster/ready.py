"""Are the release's pods ready, and if not, why?

Enters: workloads and pods of the API server. Leaves: a row per workload, the troubles of pods, and
an error with the last log lines when a rollout fails. Called by `serinus.cluster.session`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Final

from lightkube.models.core_v1 import ContainerStatus
from lightkube.resources.apps_v1 import Deployment, StatefulSet
from lightkube.resources.core_v1 import Pod

from serinus.clients.kubernetes import Kubernetes
from serinus.contracts.routing import STABLE
from serinus.errors import ClusterError, UnreachableError

PERIOD: Final = 0.5
"""Seconds between looks."""
GRACE: Final = 15.0
"""Seconds for which a trouble may pass by itself, such as a Secret that is just being made."""
AWAY: Final = 60.0
"""Seconds for which the API server may not answer; one request alone waits for a third of it."""
CRASHES: Final = 3
"""Restarts after which a crash is not a matter of something else still starting."""
LINES: Final = 15
"""Log lines that an error shows."""
WIDTH: Final = 160
"""Characters of a message that are shown; the rest repeats itself in other words."""
_TEMPLATE: Final = ("pod-template-hash", "controller-revision-hash")
_REFUSED: Final = frozenset(
    {
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImagePullBackOff",
        "InvalidImageName",
        "CreateContainerConfigError",
        "CreateContainerError",
        "RunContainerError",
    }
)


@dataclass(frozen=True, slots=True)
class Row:
    """A workload: how many of its pods have the newest template and are ready."""

    name: str
    app: str
    track: str
    ready: int
    wanted: int
    state: str
    restarts: int = 0
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why a pod is not ready.

    `lasting` when waiting won't mend it; `ran` when there is a log, `crashed` when it is that of
    the run before.
    """

    pod: str
    container: str
    reason: str
    lasting: bool
    ran: bool = False
    crashed: bool = False

    def __str__(self) -> str:
        container = f", container {self.container}" if self.container else ""
        return f"pod {self.pod}{container}: {self.reason}"


Show = Callable[[list[Row]], None]


def rows(workloads: Iterable[Deployment | StatefulSet], pods: Iterable[Pod]) -> list[Row]:
    """One row per workload, the application's apps first, stable before canary."""
    pods = list(pods)
    found = [_row(item, pods) for item in workloads]
    return sorted(found, key=lambda row: (not row.track, row.app, row.track != STABLE, row.name))


def serves(pod: Pod) -> bool:
    """Is the pod ready, and to stay?"""
    if pod.metadata is None or pod.metadata.deletionTimestamp is not None:
        return False
    conditions = (pod.status.conditions if pod.status else None) or ()
    return any(one.type == "Ready" and one.status == "True" for one in conditions)


def troubles(pods: Iterable[Pod]) -> list[Trouble]:
    """What keeps pods from being ready."""
    return [trouble for pod in pods for trouble in _troubles(pod)]


def wait(
    cluster: Kubernetes,
    labels: Mapping[str, str],
    show: Show,
    *,
    seconds: float,
    names: frozenset[str] | None = None,
    clock: Callable[[], float] = time.monotonic,
    pause: Callable[[float], None] = time.sleep,
) -> list[Row]:
    """Wait until every workload (or those of `names`) has its newest pods ready, and only those.

    Raises `ClusterError` with pod, reason and last log lines when one fails or time is up, and
    `UnreachableError` when the API server stays away.
    """
    until = clock() + seconds
    away: float | None = None
    since: dict[tuple[str, str], float] = {}
    while True:
        try:
            pods = cluster.pods(labels)
            every = rows(cluster.workloads(labels), pods)
        except UnreachableError:
            now = clock()
            away = now if away is None else away
            if now - away >= AWAY or now >= until:
                raise
            pause(PERIOD)
            continue
        away = None
        show(every)
        seen = [row for row in every if names is None or row.name in names]
        open_ = [row for row in seen if row.state != "ready"]
        missing = (names or frozenset()) - {row.name for row in seen}
        if seen and not open_ and not missing:
            return seen
        now = clock()
        # Those of older templates end when the new ones are ready, whatever ails them.
        found = troubles(pod for row in open_ for pod in _newest(pods, row))
        keys = {(item.pod, item.container) for item in found if item.lasting}
        keys |= {(row.name, "") for row in open_ if row.state == "failed"}
        since = {key: since.get(key, now) for key in keys}
        late = {key for key, first in since.items() if now - first >= GRACE}
        lasting = [item for item in found if item.lasting and (item.pod, item.container) in late]
        if late or now >= until:
            raise _failed(cluster, open_, lasting or found, seconds if now >= until else None)
        pause(PERIOD)


def _failed(
    cluster: Kubernetes, open_: list[Row], found: list[Trouble], seconds: float | None
) -> ClusterError:
    names = ", ".join(row.name for row in open_) or "the release"
    late = f" within {seconds:.0f} s" if seconds is not None else ""
    told = [f"not ready{late}: {names}"]
    told += [f"{row.name}: {row.failure}" for row in open_ if row.state == "failed"]
    told += [str(trouble) for trouble in found]
    logged = next((item for item in found if item.ran), None)
    if logged:
        told += _last_lines(cluster, logged)
    return ClusterError(
        "\n  ".join(told),
        where=str(cluster),
        remedy="`serinus deploy --rollback` leads back; "
        "`serinus logs APP/TRACK` shows more of a log",
    )


def _last_lines(cluster: Kubernetes, trouble: Trouble) -> Iterator[str]:
    try:
        text = cluster.log(
            trouble.pod, trouble.container, lines=LINES, previous=trouble.crashed
        ).strip()
    except ClusterError as error:
        # A container that never started has no log; its reason was told already.
        yield f"no log: {error.what}"
        return
    if text:
        yield f"the last lines of {trouble.pod}:"
        yield from (f"  {line}" for line in text.splitlines())


def _row(item: Deployment | StatefulSet, pods: list[Pod]) -> Row:
    metadata, spec, status = item.metadata, item.spec, item.status
    name = (metadata.name if metadata else None) or ""
    labels = (metadata.labels if metadata else None) or {}
    wanted = 1 if spec is None or spec.replicas is None else spec.replicas
    updated = (status.updatedReplicas if status else 0) or 0
    available = (status.availableReplicas if status else 0) or 0
    there = (status.replicas if status else 0) or 0
    seen = status is not None and (status.observedGeneration or 0) >= (
        (metadata.generation if metadata else 0) or 0
    )
    failure = _refusal(item) if seen else ""
    done = seen and updated >= wanted and available >= wanted and there == wanted
    row = Row(
        name,
        labels.get("app", ""),
        labels.get("version", ""),
        min(updated, available),
        wanted,
        "ready" if done else "failed" if failure else "waiting",
    )
    restarts = sum(
        max((one.restartCount for one in _statuses(pod)), default=0)
        for pod in pods
        if _belongs(pod, row)
    )
    trouble = next((str(one) for one in troubles(_newest(pods, row)) if one.lasting), "")
    return Row(
        row.name,
        row.app,
        row.track,
        row.ready,
        row.wanted,
        row.state,
        restarts,
        "" if done else failure or trouble,
    )


def _refusal(item: Deployment | StatefulSet) -> str:
    """Why the API server makes no pods, or gave up; empty when it does."""
    for condition in (item.status.conditions if item.status else None) or ():
        refused = condition.type == "ReplicaFailure" and condition.status == "True"
        given_up = condition.reason == "ProgressDeadlineExceeded"
        if refused or given_up:
            return f"{condition.reason}: {condition.message}"
    return ""


def _belongs(pod: Pod, row: Row) -> bool:
    metadata = pod.metadata
    if metadata is None:
        return False
    if row.app and row.track:
        labels = metadata.labels or {}
        return (labels.get("app"), labels.get("version")) == (row.app, row.track)
    return (metadata.name or "").startswith(row.name + "-")


def _newest(pods: Iterable[Pod], row: Row) -> list[Pod]:
    """The row's pods that have the template of the one made last."""
    mine = [pod for pod in pods if _belongs(pod, row)]
    made = [(about.creationTimestamp, _template(pod)) for pod in mine if (about := pod.metadata)]
    last = max((one for one in made if one[0]), default=(None, ""))[1]
    return [pod for pod in mine if _template(pod) == last]


def _template(pod: Pod) -> str:
    """Which template a pod was made from: a hash that its Deployment or StatefulSet gave it."""
    labels = (pod.metadata.labels if pod.metadata else None) or {}
    return next((labels[name] for name in _TEMPLATE if name in labels), "")


def _statuses(pod: Pod) -> list[ContainerStatus]:
    status = pod.status
    if status is None:
        return []
    return [*(status.initContainerStatuses or ()), *(status.containerStatuses or ())]


def _troubles(pod: Pod) -> Iterator[Trouble]:
    if pod.metadata is None or pod.metadata.deletionTimestamp is not None:
        return
    name = pod.metadata.name or ""
    for one in _statuses(pod):
        waiting = one.state.waiting if one.state else None
        ended = (one.state.terminated if one.state else None) or (
            one.lastState.terminated if one.lastState else None
        )
        reason = (waiting.reason if waiting else None) or ""
        if one.ready:
            continue
        if reason in _REFUSED:
            about = _short(waiting.message if waiting else None)
            yield Trouble(name, one.name, f"{reason}{about}", lasting=True)
        elif ended is not None and ended.exitCode != 0:
            why = f"{ended.reason or 'ended'}, exit code {ended.exitCode}"
            times = f"{one.restartCount} restarts"
            lasting = one.restartCount >= CRASHES
            again = one.state is not None and one.state.terminated is None
            yield Trouble(name, one.name, f"{why}, {times}", lasting, ran=True, crashed=again)
        elif one.state and one.state.running:
            yield Trouble(name, one.name, "runs and is not ready", lasting=False, ran=True)
    for condition in (pod.status.conditions if pod.status else None) or ():
        if condition.type == "PodScheduled" and condition.status == "False":
            about = _short(condition.message)
            yield Trouble(name, "", f"{condition.reason}{about}", lasting=False)


def _short(message: str | None) -> str:
    """The first line of a message."""
    line = (message or "").strip().partition("\n")[0]
    return f": {line[:WIDTH]}{'...' if len(line) > WIDTH else ''}" if line else ""
