"""The HTTP filters of a listener, with the EnvoyFilters of the chart in their places.

Enters: patches of the topology. Leaves: the list of filters as JSON values. Called by `listeners`.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

from serinus.errors import MeshError
from serinus.mesh.envoy import names
from serinus.mesh.envoy.routes import FAULT
from serinus.mesh.topology import HttpFilter

ROUTER: Final = "envoy.filters.http.router"


def http_filters(patches: Iterable[HttpFilter] = ()) -> list[dict[str, Any]]:
    """Istio's filters that matter here (fault, router) and the patches, in order.

    The fault filter is always there: a rule that gains a fault changes routes only.
    """
    filters: list[dict[str, Any]] = [
        {"name": FAULT, "typed_config": names.typed("extensions.filters.http.fault.v3.HTTPFault")},
        {"name": ROUTER, "typed_config": names.typed("extensions.filters.http.router.v3.Router")},
    ]
    for patch in patches:
        filters.insert(_place(filters, patch), dict(patch.value))
    return filters


def _place(filters: list[dict[str, Any]], patch: HttpFilter) -> int:
    present = [item["name"] for item in filters]
    if patch.operation == "INSERT_FIRST" or (
        patch.operation == "INSERT_BEFORE" and not patch.anchor
    ):
        return 0
    if not patch.anchor or patch.operation == "ADD":
        raise MeshError(
            "puts a filter behind the router, where nothing reaches it", where=str(patch.origin)
        )
    if patch.anchor not in present:
        raise MeshError(
            f"is placed by the filter {patch.anchor}, which is not there",
            where=str(patch.origin),
            remedy=f"the filters are {', '.join(present)}",
        )
    at = present.index(patch.anchor)
    if patch.operation == "INSERT_BEFORE":
        return at
    if patch.anchor == ROUTER:
        raise MeshError(
            "puts a filter behind the router, where nothing reaches it", where=str(patch.origin)
        )
    return at + 1
