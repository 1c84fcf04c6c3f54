"""The values overlay: the one writer of weights and epochs, on a machine and in a cluster."""

from serinus.rollout.overlay import (
    Rollout,
    abort,
    digest,
    promote,
    read,
    set_weight,
    settle,
    switch_off,
    switch_on,
)

__all__ = [
    "Rollout",
    "abort",
    "digest",
    "promote",
    "read",
    "set_weight",
    "settle",
    "switch_off",
    "switch_on",
]
