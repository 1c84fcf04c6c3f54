"""Changes of the rollout, as changes of a values overlay.

Enters: the whole values in force (chart defaults, values files, overlay) and the overlay. Leaves: a
new overlay: `rollout`, and after a promotion the stable tracks of `workloads`. Pure; called by
`serinus.local.session`, `serinus.cluster` and `serinus.experiment`. The epoch rises with each new
canary image, model or flag, with promotion and with abort, never with a weight, and never falls.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from serinus.contracts.routing import CANARY, STABLE
from serinus.errors import RolloutError

Values: TypeAlias = Mapping[str, Any]
Overlay: TypeAlias = dict[str, Any]
TRACK: Final = ("image", "model", "env")
"""What a track is made of: a promotion gives it to stable, and another canary's begins an epoch."""
_OWN: Final = (("rollout", "epoch"), ("rollout", "digest"))
"""What the overlay counts by itself; a higher epoch is taken, and one below is no wish."""


@dataclass(frozen=True, slots=True)
class Rollout:
    """The rollout as values say it. Weights are percent; `canary` is what a draw gives it."""

    epoch: int
    stable: int
    canary: int
    enabled: bool
    routed: bool

    @property
    def drawn(self) -> int:
        """Percent of new visitors that really go to canary: 0 while it has no routes."""
        return self.canary if self.enabled and self.routed else 0


def read(values: Values) -> Rollout:
    """The rollout in force; raises `RolloutError` for values that lack it."""
    try:
        rollout = values["rollout"]
        weights, canary = rollout["weights"], rollout["canary"]
        return Rollout(
            int(rollout["epoch"]),
            int(weights[STABLE]),
            int(weights[CANARY]),
            bool(canary["enabled"]),
            bool(canary["routed"]),
        )
    except KeyError as error:
        raise RolloutError(f"the values lack {error}", where="rollout") from error
    except (TypeError, ValueError) as error:
        raise RolloutError(f"the values can't be read: {error}", where="rollout") from error


def digest(values: Values) -> str:
    """What the canary is: image, model and environment of every app, as 16 hexadecimal digits."""
    image = values.get("image") or {}
    shared = {key: image.get(key) for key in ("registry", "tag")}
    apps = {}
    for app, workload in sorted((values.get("workloads") or {}).items()):
        track = (workload.get("tracks") or {}).get(CANARY) or {}
        apps[app] = {key: track.get(key) for key in TRACK}
        apps[app]["common"] = workload.get("env")
    text = json.dumps([shared, apps], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def settle(overlay: Overlay, values: Values) -> Overlay:
    """Bring the overlay in line with values that somebody edited.

    A canary that is no longer what the epoch was made for begins a new epoch. An epoch in `values`
    (which lie over `without_epoch(overlay)`) above the overlay's is taken; one below is ignored.
    """
    now = digest(values)
    written = overlay.get("rollout") or {}
    kept = written.get("digest") or ""
    epoch = int(written.get("epoch") or 0)
    if kept and kept != now:
        epoch += 1
    return _with(overlay, epoch=max(epoch, read(values).epoch), digest=now)


def without_epoch(overlay: Overlay) -> Overlay:
    """The overlay as it lies below `settle`, so that an epoch which the user gave is seen."""
    changed = copy.deepcopy(overlay)
    (changed.get("rollout") or {}).pop("epoch", None)
    return changed


def overruled(given: Values, decided: Values) -> Iterator[str]:
    """What the user gave and the overlay decides otherwise, one line each."""
    for path, asked, held in _differences(given, decided, ()):
        if path[0] == "rollout":
            yield (
                f"{'.'.join(path)}={asked} of your values gives way to {held}, which is in force; "
                "`serinus rollout` changes it"
            )
        elif path[0] == "workloads":
            yield f"{'.'.join(path)}={asked} of your values gives way to {held}, which was promoted"


def _differences(
    asked: Any, held: Any, path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], Any, Any]]:
    if isinstance(asked, Mapping) and isinstance(held, Mapping):
        for key, value in asked.items():
            yield from _differences(value, held.get(key), (*path, str(key)))
    elif asked != held and path not in _OWN:
        yield path, asked, held


def set_weight(overlay: Overlay, values: Values, canary: int) -> Overlay:
    """Draw that percentage of new visitors for canary, in the same epoch: nobody drawn moves."""
    if not 0 <= canary <= 100:
        raise RolloutError(
            f"a weight of {canary} percent", where="--canary", remedy="give a number from 0 to 100"
        )
    now = read(values)
    if canary and not (now.enabled and now.routed):
        raise RolloutError(
            "the canary is switched off, so nobody can be drawn for it",
            where="rollout.canary",
            remedy="`serinus rollout on` starts it first",
        )
    return _with(overlay, epoch=now.epoch, weights={STABLE: 100 - canary, CANARY: canary})


def switch_off(overlay: Overlay, values: Values) -> Overlay:
    """Canary off in one step, everyone to stable, in a new epoch."""
    now = read(values)
    return _with(
        overlay,
        epoch=now.epoch + 1,
        weights={STABLE: 100, CANARY: 0},
        canary={"enabled": False, "routed": False},
    )


def abort(overlay: Overlay, values: Values) -> Overlay:
    """End the experiment: everyone to stable, canary off, new epoch; raises when it is off."""
    now = read(values)
    if not now.enabled:
        raise RolloutError(
            f"there is nothing to abort: the canary is off since epoch {now.epoch}",
            where="rollout.canary",
        )
    return switch_off(overlay, values)


def promote(overlay: Overlay, values: Values) -> Overlay:
    """Stable takes the canary's image, model and environment in every app; canary off; new epoch.

    Raises `RolloutError` when the canary is off: nothing of it was seen to work.
    """
    if not read(values).enabled:
        raise RolloutError(
            "the canary is off, so there is nothing to promote",
            where="rollout.canary",
            remedy="`serinus rollout on` starts it",
        )
    promoted = switch_off(overlay, values)
    workloads = promoted.setdefault("workloads", {})
    for app, workload in values["workloads"].items():
        if not {STABLE, CANARY} <= (tracks := workload.get("tracks") or {}).keys():
            continue
        stable: dict[str, Any] = {}
        for key in TRACK:
            before, after = tracks[STABLE].get(key), tracks[CANARY].get(key)
            if after is None and before is None:
                continue
            # The overlay is merged into what is below it, so what stable loses must be named.
            lost = {name: None for name in (before or {}) if name not in (after or {})}
            stable[key] = {**lost, **copy.deepcopy(after or {})}
        workloads.setdefault(app, {}).setdefault("tracks", {})[STABLE] = stable
    return promoted


def switch_on(overlay: Overlay, values: Values, canary: int) -> tuple[Overlay, Overlay]:
    """Canary on in two steps: run it (nobody is sent there), then route to it, in a new epoch.

    Apply the second only when the first one's pods are ready.
    """
    now = read(values)
    if now.enabled and now.routed:
        raise RolloutError(
            f"the canary is on already, with {now.canary} percent",
            where="rollout.canary",
            remedy="`serinus rollout set --canary N` changes the weight",
        )
    if not 0 <= canary <= 100:
        raise RolloutError(
            f"a weight of {canary} percent", where="--canary", remedy="give a number from 0 to 100"
        )
    running = _with(
        overlay,
        epoch=now.epoch,
        weights={STABLE: 100, CANARY: 0},
        canary={"enabled": True, "routed": False},
        digest=digest(values),
    )
    routed = _with(
        running,
        epoch=now.epoch + 1,
        weights={STABLE: 100 - canary, CANARY: canary},
        canary={"enabled": True, "routed": True},
    )
    return running, routed


def _with(overlay: Overlay, **rollout: Any) -> Overlay:
    changed = copy.deepcopy(overlay)
    changed["rollout"] = {**(changed.get("rollout") or {}), **rollout}
    return changed
