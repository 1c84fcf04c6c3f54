"""The split between the tracks as the cluster really has it, beside what the release says.

Enters: VirtualServices, rendered ones and live ones. Leaves: weights per route, and the routes
whose weights somebody changed by hand. Pure; called by `serinus.cluster.session`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias

from serinus.manifests import Index

GATEWAY_ROUTES: Final = "app-frontend-gateway"
DRAWS: Final = ("draw-get", "draw")
"""Routes that draw, the one of page requests first: new visitors come with a GET."""

Weights: TypeAlias = dict[str, int]


@dataclass(frozen=True, slots=True)
class HandEdit:
    """A route whose weights in the cluster are not the release's."""

    service: str
    route: str
    live: tuple[tuple[str, int], ...]
    released: tuple[tuple[str, int], ...]

    def __str__(self) -> str:
        return (
            f"VirtualService {self.service}, route {self.route}: {_told(self.live)} in the "
            f"cluster, {_told(self.released)} in the release"
        )


def drawn(service: Mapping[str, Any] | None) -> Weights:
    """Percent of new visitors per track, by the gateway's VirtualService; empty without one."""
    routes = _routes(service or {})
    return next((routes[name] for name in DRAWS if name in routes), {})


def hand_edits(manifest: str, live: Iterable[Mapping[str, Any]]) -> list[HandEdit]:
    """Routes of the release whose weights differ in the cluster; a missing route says nothing."""
    there = {item["metadata"]["name"]: _routes(item) for item in live}
    found = []
    for item in Index.parse(manifest).of("VirtualService"):
        for route, released in _routes(item.raw).items():
            now = there.get(item.name, {}).get(route)
            if now is not None and now != released:
                found.append(
                    HandEdit(
                        item.name,
                        route,
                        tuple(sorted(now.items())),
                        tuple(sorted(released.items())),
                    )
                )
    return found


def _routes(service: Mapping[str, Any]) -> dict[str, Weights]:
    routes: dict[str, Weights] = {}
    for number, rule in enumerate((service.get("spec") or {}).get("http") or ()):
        destinations = rule.get("route") or ()
        # Istio sends everything to a single destination, also where it has no weight.
        alone = 100 if len(destinations) == 1 else 0
        weights: Weights = {}
        for item in destinations:
            subset = item["destination"].get("subset", "")
            weights[subset] = weights.get(subset, 0) + int(item.get("weight") or alone)
        routes[rule.get("name") or str(number)] = {
            subset: weight for subset, weight in weights.items() if weight
        }
    return routes


def _told(weights: Iterable[tuple[str, int]]) -> str:
    return " and ".join(f"{subset} {weight} %" for subset, weight in reversed(list(weights)))
