"""An evaluation as people read it in a terminal, and as plain values.

Enters: an `Evaluation`. Leaves: tables, bars and text. Called by `serinus model evaluate`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from rich.console import Console
from rich.table import Table
from rich.text import Text

if TYPE_CHECKING:
    from serinus.model.evaluate import Evaluation, Part

_WIDTH: Final = 30
"""Columns of a bar in the reliability diagram."""


def plain(result: Evaluation) -> dict[str, Any]:
    """The evaluation as values that JSON knows."""
    told = result._asdict()
    for name in ("bins", "themes", "lengths", "mistakes"):
        told[name] = [row._asdict() for row in told[name]]
    return told


def show(result: Evaluation, title: str, mistakes: int) -> None:
    """Print everything, with the `mistakes` surest mistakes last."""
    console = Console(highlight=False)
    console.print(f"[bold]{title}[/bold] on {result.total} reviews\n")
    figures = Table(box=None, pad_edge=False, show_header=False)
    figures.add_row("accuracy", f"{result.accuracy:.3f}",
                    f"95 % interval {result.low:.3f} to {result.high:.3f}")  # fmt: skip
    for label, value in result.f1.items():
        figures.add_row(f"F1 {label}", f"{value:.3f}", "")
    figures.add_row("Brier score", f"{result.brier:.3f}", "0 is best, 0.25 is guessing")
    figures.add_row("calibration error", f"{result.ece:.3f}", "expected, over ten bins")
    console.print(figures)
    console.print(_confusion(result))
    console.print(_reliability(result))
    for name, parts in (("theme", result.themes), ("characters", result.lengths)):
        console.print(_parts(name, parts))
    if result.mistakes and mistakes:
        console.print("\n[bold]surest mistakes[/bold]")
    for mistake in result.mistakes[:mistakes]:
        console.print(Text(f"  {mistake.confidence:.2f} not {mistake.label}: {mistake.text}"))


def _confusion(result: Evaluation) -> Table:
    labels = list(result.f1)
    table = Table(box=None, pad_edge=False, title="\nconfusion", title_justify="left")
    table.add_column("true \\ predicted")
    for label in labels:
        table.add_column(label, justify="right")
    for label, row in zip(labels, result.matrix, strict=True):
        table.add_row(label, *map(str, row))
    return table


def _reliability(result: Evaluation) -> Table:
    """A bar is the share that was right; the mark stands at the mean confidence."""
    table = Table(box=None, pad_edge=False, title="\nreliability", title_justify="left")
    for name in ("confidence", "reviews", "mean", "right"):
        table.add_column(name, justify="right")
    table.add_column("right, and | where it should be")
    for found in result.bins:
        if not found.size:
            continue
        bar = list("█" * round(found.accuracy * _WIDTH))
        bar += [" "] * (_WIDTH + 1 - len(bar))
        bar[min(_WIDTH, round(found.confidence * _WIDTH))] = "|"
        table.add_row(f"{found.low:.2f} to {found.high:.2f}", str(found.size),
                      f"{found.confidence:.2f}", f"{found.accuracy:.2f}",
                      Text("".join(bar)))  # fmt: skip
    return table


def _parts(name: str, parts: list[Part]) -> Table:
    table = Table(box=None, pad_edge=False, title=f"\nby {name}", title_justify="left")
    for column in (name, "reviews", "accuracy"):
        table.add_column(column, justify="left" if column == name else "right")
    for part in parts:
        table.add_row(part.name, str(part.total), f"{part.right / part.total:.3f}")
    return table
