"""What a release's next revision shall be, worked out from values alone.

Enters: the values of the revision in force, the user's values, a change of the rollout. Leaves: the
values to send, and the steps to them. Pure; called by `serinus.cluster.session`. In a cluster the
overlay has no file of its own: it is the `rollout` section of the release's values and, after a
promotion (a label of the release remembers that), the stable tracks.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeAlias

from serinus import rollout
from serinus.clients.values import Values, merge
from serinus.contracts.routing import CANARY, STABLE

PROMOTED: Final = "serinus-promoted"
"""Label of a release: its stable tracks were promoted, and win over the user's files."""

Change: TypeAlias = Callable[[dict[str, Any], Values], dict[str, Any]]
"""Takes overlay and whole values, gives the new overlay."""
LaidOver: TypeAlias = Callable[[Mapping[str, Any]], Values]
"""Lays values over the chart's defaults."""


def overlay_of(values: Values, *, promoted: bool) -> dict[str, Any]:
    """The part of a release's values that `serinus rollout` writes."""
    overlay: dict[str, Any] = {}
    if values.get("rollout"):
        overlay["rollout"] = copy.deepcopy(values["rollout"])
    if promoted:
        overlay["workloads"] = {
            app: {"tracks": {STABLE: copy.deepcopy(track)}}
            for app, track in _stable(values).items()
            if track
        }
    return overlay


def deployed(
    current: Values | None, given: Values, laid_over: LaidOver, *, promoted: bool
) -> Values:
    """Values of `serinus deploy`: what was given, under the overlay of the revision in force.

    Without anything given the values of the revision in force stay, as `helm upgrade` has it.
    """
    below = given if given or current is None else current
    if promoted:
        # What was promoted takes the place of what was given; merged, it would keep a variable
        # that the canary had not.
        below = _without_stable(below)
    overlay = overlay_of(current or {}, promoted=promoted)
    unsettled = merge(below, rollout.without_epoch(overlay))
    overlay = rollout.settle(overlay, laid_over(unsettled))
    return merge(below, overlay)


def rolled(current: Values, change: Change, laid_over: LaidOver, *, promoted: bool) -> Values:
    """Values after a change of the rollout."""
    overlay = overlay_of(current, promoted=promoted)
    return merge(current, change(overlay, laid_over(current)))


def led_back(current: Values, target: Values, whole: Values, target_whole: Values) -> Values:
    """The values of an older revision, with an epoch that never falls.

    A new epoch begins unless the canary is the same and equally on: otherwise visitors who were
    drawn for another canary would count as drawn for this one. `whole` and `target_whole` have the
    defaults of their charts below them.
    """
    now, then = rollout.read(whole), rollout.read(target_whole)
    same = (
        rollout.digest(whole) == rollout.digest(target_whole)
        and (now.enabled, now.routed) == (then.enabled, then.routed)
        and _stable(current) == _stable(target)
    )
    epoch = max(now.epoch, then.epoch) + (0 if same else 1)
    return merge(target, {"rollout": {"epoch": epoch, "digest": rollout.digest(target_whole)}})


def first_step(before: rollout.Rollout | None, sent: Values, whole: Values) -> Values | None:
    """What must be applied and ready before `sent`: the canary's pods without its routes.

    None when one step is enough: nothing was there, or the canary is routed already, or shall not
    be. A canary that runs without routes may have failed to get ready, so it is waited for again.
    """
    after = rollout.read(whole)
    if before is None or (before.enabled and before.routed):
        return None
    if not (after.enabled and after.routed):
        return None
    running = {
        "epoch": before.epoch,
        "weights": {STABLE: 100, CANARY: 0},
        "canary": {"enabled": True, "routed": False},
    }
    return merge(sent, {"rollout": running})


def _stable(values: Values) -> dict[str, Values]:
    """What the stable track of every app is made of, as the values say it."""
    tracks = {
        app: (workload.get("tracks") or {}).get(STABLE) or {}
        for app, workload in (values.get("workloads") or {}).items()
    }
    return {
        app: {key: track[key] for key in rollout.TRACK if key in track}
        for app, track in tracks.items()
    }


def _without_stable(values: Values) -> Values:
    kept = copy.deepcopy(values)
    for workload in (kept.get("workloads") or {}).values():
        track = (workload.get("tracks") or {}).get(STABLE) or {}
        for key in rollout.TRACK:
            track.pop(key, None)
    return kept
