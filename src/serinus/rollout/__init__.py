"""The values overlay: the one writer of weights and epochs, on a machine and in a cluster."""

from serinus.rollout.overlay import (
    TRACK,
    Rollout,
    abort,
    digest,
    overruled,
    promote,
    read,
    set_weight,
    settle,
    switch_off,
    switch_on,
    without_epoch,
)

__all__ = [
    "TRACK",
    "Rollout",
    "abort",
    "digest",
    "overruled",
    "promote",
    "read",
    "set_weight",
    "settle",
    "switch_off",
    "switch_on",
    "without_epoch",
]
