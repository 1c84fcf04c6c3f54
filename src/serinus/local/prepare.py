"""A change that is rendered, planned and tried, but not made.

Enters: what the user asked for, the state directory, a change of the rollout. Leaves: `Prepared`.
Values are merged here (packaged ones, generated ones, the user's, the overlay) and nothing is
written. Called by `serinus.local.session` and by the commands that only show.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from serinus import rollout
from serinus.clients import helm
from serinus.clients.values import Values, given, merge, parse
from serinus.local import addresses, compose, effects, envoy, monitoring
from serinus.local.plan import Gateway, Plan, decode, revision
from serinus.local.workspace import Settings, Workspace
from serinus.manifests import Index

Change = Callable[[dict[str, Any], Values], dict[str, Any]]
"""Takes overlay and whole values, gives the new overlay."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user gave on the command line. `None` means: as before, or the default."""

    files: tuple[Path, ...] = ()
    sets: tuple[str, ...] = ()
    port: int | None = None
    chart: Path | None = None

    def values(self) -> Values:
        """Values files, then `--set` expressions."""
        return given(self.files, self.sets)


@dataclass(frozen=True, slots=True)
class Prepared:
    """A change that is rendered, planned and tried, but not made.

    `base` is the revision of the plan that it changes, so that none is lost between two commands.
    """

    plan: Plan
    base: str
    values: Values
    overlay: dict[str, Any]
    settings: Settings
    without_effect: tuple[effects.WithoutEffect, ...]
    watched: int
    said: tuple[str, ...] = field(default=())


def chart_directory(settings: Settings) -> Path:
    """The chart that was named, now or before, or the one of this project."""
    return Path(settings.chart) if settings.chart else helm.bundled()


def prepare(
    space: Workspace,
    asked: Asked,
    change: Change | None = None,
) -> Prepared:
    """Render and plan, changing nothing on disk.

    Raises `ChartError`, `ManifestError`, `MeshError`, `RolloutError` or `UsageError`.
    """
    before = in_force(space)
    base = revision(before) if before else ""
    settings = space.settings()
    settings = msgspec.structs.replace(
        settings,
        port=asked.port or settings.port,
        block=settings.block or next(iter(addresses.candidates(space.root))),
        outbound=dict(settings.outbound),
        values=asked.values() if change is None else settings.values,
        chart=str(asked.chart.absolute()) if asked.chart else settings.chart,
    )
    chart = chart_directory(settings)
    overlay = overlay_of(space)
    below = merge(_packaged(), _generated(space, settings), settings.values)
    with helm.defaults(chart) as laid_over:
        unsettled = merge(below, rollout.without_epoch(overlay))
        overlay = rollout.settle(overlay, laid_over(unsettled))
        if change is not None:
            overlay = change(overlay, laid_over(merge(below, overlay)))
        values = merge(below, overlay)
        whole = laid_over(values)
    rendered = helm.render(chart, values)
    index = Index.parse(rendered.manifest)
    ignored = effects.without_effect(index)
    plan = compose.compose(
        rendered.manifest,
        index,
        state=space.root,
        block=settings.block,
        gateway=Gateway(addresses=_gateway_addresses(), port=settings.port),
        ports=settings.outbound,
    )
    watched = envoy.attempt(plan, index)
    said = tuple(rollout.overruled(settings.values, values))
    return Prepared(
        plan,
        base,
        whole,
        overlay,
        settings,
        ignored,
        watched,
        said,
    )


def in_force(space: Workspace) -> Plan | None:
    """The last plan that was applied here, whether or not it still runs."""
    try:
        return decode(space.path("plan.json").read_bytes())
    except (FileNotFoundError, msgspec.MsgspecError):
        return None


def overlay_of(space: Workspace) -> dict[str, Any]:
    """The values overlay; empty before the first start."""
    path = space.path("overlay.yaml")
    return parse(path.read_text(encoding="utf-8"), str(path)) if path.exists() else {}


def _packaged() -> Values:
    source = files("serinus.local").joinpath("values.yaml")
    return parse(source.read_text(encoding="utf-8"), "serinus/local/values.yaml")


def _generated(space: Workspace, settings: Settings) -> Values:
    # `render` and `diff` must not make a directory; whatever they show is thrown away.
    keys = (
        space.secrets()
        if space.root.exists()
        else dict.fromkeys(("sessionKey", "unitKey"), "0" * 64)
    )
    return {
        "gateway": {"port": settings.port},
        "secrets": keys,
        **monitoring.values(settings.block, settings.values),
    }


def _gateway_addresses() -> tuple[str, ...]:
    try:
        with socket.socket(socket.AF_INET6) as attempt:
            attempt.bind(("::1", 0))
    except OSError:
        return ("127.0.0.1",)
    return ("127.0.0.1", "::1")
