"""How `serinus rollout show` tells the split, on this machine and in a cluster.

Enters: the rollout, draws per track, and what only a cluster has. Leaves: a table or JSON. Called
by `rollout` and `release`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import click
from rich.console import Console
from rich.table import Table

if TYPE_CHECKING:
    from serinus.rollout import Rollout


@dataclass(frozen=True, slots=True)
class Released:
    """What a cluster adds: `live` is the share of each track that the gateway is told now."""

    revision: int
    live: Mapping[str, int]
    changed_by_hand: Sequence[str]


def show(
    now: Rollout, drawn: Mapping[str, int], released: Released | None = None, *, as_json: bool
) -> None:
    """Each track's configured, live and realised share of new visitors."""
    shares = {"stable": 100 - now.drawn, "canary": now.drawn}
    draws = {track: drawn.get(track, 0) for track in shares}
    if as_json:
        told: dict[str, Any] = {
            "epoch": now.epoch, "enabled": now.enabled, "routed": now.routed,
            "weights": shares, "draws": draws,
        }  # fmt: skip
        if released is not None:
            told["revision"] = released.revision
            told["live"] = {track: released.live.get(track, 0) for track in shares}
            told["changed_by_hand"] = list(released.changed_by_hand)
        click.echo(json.dumps(told))
        return
    console = Console()
    how = "on" if now.enabled and now.routed else "running, not routed" if now.enabled else "off"
    revision = f", revision {released.revision}" if released else ""
    console.print(f"epoch {now.epoch}, canary {how}{revision}\n", highlight=False)
    made = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("track", "configured", *(("live",) if released else ()), "realised", "draws"):
        made.add_column(name, justify="left" if name == "track" else "right")
    total = sum(drawn.values())
    for track, share in shares.items():
        live = (f"{released.live.get(track, 0)} %",) if released else ()
        realised = f"{100 * draws[track] / total:.1f} %" if total else "-"
        made.add_row(track, f"{share} %", *live, realised, str(draws[track]))
    console.print(made)
    console.print("\ndraws since the start of the frontend's pods, in this epoch", highlight=False)
    for edit in released.changed_by_hand if released else ():
        console.print(f"changed by hand: {edit}", style="yellow", highlight=False, soft_wrap=True)
    if released and released.changed_by_hand:
        console.print("the next `serinus rollout` or `serinus deploy` overwrites it")
