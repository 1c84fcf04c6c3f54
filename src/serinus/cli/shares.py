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
    """What a cluster adds: `live` is the share of each track that the gateway is told now.

    It is empty where the gateway has no routes. `refused` is why pods gave no draws.
    """

    revision: int
    live: Mapping[str, int]
    changed_by_hand: Sequence[str] = ()
    refused: Sequence[str] = ()


def show(
    now: Rollout,
    drawn: Mapping[str, int] | None,
    released: Released | None = None,
    *,
    as_json: bool,
) -> None:
    """Each track's configured, live and realised share; `drawn` None is not known."""
    shares = {"stable": 100 - now.drawn, "canary": now.drawn}
    draws = {track: None if drawn is None else drawn.get(track, 0) for track in shares}
    if as_json:
        told: dict[str, Any] = {
            "epoch": now.epoch, "enabled": now.enabled, "routed": now.routed,
            "weights": shares, "draws": draws,
        }  # fmt: skip
        if released is not None:
            told["revision"] = released.revision
            told["live"] = {track: _live(released, track) for track in shares}
            told["changed_by_hand"] = list(released.changed_by_hand)
            told["refused"] = list(released.refused)
        click.echo(json.dumps(told))
        return
    console = Console()
    how = "on" if now.enabled and now.routed else "running, not routed" if now.enabled else "off"
    revision = f", revision {released.revision}" if released else ""
    console.print(f"epoch {now.epoch}, canary {how}{revision}\n", highlight=False)
    made = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("track", "configured", *(("live",) if released else ()), "realised", "draws"):
        made.add_column(name, justify="left" if name == "track" else "right")
    total = sum((drawn or {}).values())
    for track, share in shares.items():
        told_live = _live(released, track) if released else None
        live = () if released is None else ("-",) if told_live is None else (f"{told_live} %",)
        count = draws[track]
        realised = f"{100 * count / total:.1f} %" if total and count is not None else "-"
        made.add_row(track, f"{share} %", *live, realised, "-" if count is None else str(count))
    console.print(made)
    if drawn is not None:
        console.print(
            "\ndraws since the start of the frontend's pods, in this epoch", highlight=False
        )
    _warn(console, released)


def _live(released: Released, track: str) -> int | None:
    return released.live.get(track, 0) if released.live else None


def _warn(console: Console, released: Released | None) -> None:
    """What is not as it should be, with its remedy."""
    if released is None:
        return
    if not released.live:
        console.print(
            "the gateway has no routes of this release: `serinus deploy` makes them",
            style="yellow", highlight=False, soft_wrap=True,
        )  # fmt: skip
    for text in released.refused:
        console.print(f"draws unknown: {text}", style="yellow", highlight=False, soft_wrap=True)
    if released.refused:
        console.print(
            "the API server must reach port 9090 of app-frontend: policy.apiServerCIDRs",
            highlight=False, soft_wrap=True,
        )  # fmt: skip
    for edit in released.changed_by_hand:
        console.print(f"changed by hand: {edit}", style="yellow", highlight=False, soft_wrap=True)
    if released.changed_by_hand:
        console.print("the next `serinus rollout` or `serinus deploy` overwrites it")
