"""Draws an evaluation: reliability diagram and confusion matrix.

Enters: an `Evaluation`. Leaves: PNG files. Called by `serinus model evaluate --plots`.
"""

from __future__ import annotations

from pathlib import Path

from matplotlib.figure import Figure

from serinus.model.data import LABELS
from serinus.model.evaluate import Evaluation

_BLUE = "#2563eb"
_GREY = "#6b7280"


def reliability(result: Evaluation, title: str) -> Figure:
    """Accuracy against confidence, and below it how many predictions each bin has."""
    figure = Figure(figsize=(5.5, 6.2), layout="constrained")
    upper, lower = figure.subplots(2, 1, height_ratios=(3, 1), sharex=True)
    bins = [b for b in result.bins if b.size]
    middles = [(b.low + b.high) / 2 for b in bins]
    width = 0.8 * (bins[0].high - bins[0].low)
    upper.bar(middles, [b.accuracy for b in bins], width, color=_BLUE, alpha=0.35)
    upper.plot([0.5, 1], [0.5, 1], "--", color=_GREY, linewidth=1, label="perfectly calibrated")
    upper.plot([b.confidence for b in bins], [b.accuracy for b in bins], "o-", color=_BLUE,
               label=f"{title} (ECE {result.ece:.3f})")  # fmt: skip
    upper.set(ylabel="share that was right", ylim=(0, 1.02), xlim=(0.5, 1))
    upper.legend(loc="lower right", frameon=False)
    lower.bar(middles, [b.size for b in bins], width, color=_BLUE, alpha=0.35)
    lower.set(xlabel="confidence", ylabel="reviews")
    return figure


def confusion(result: Evaluation, title: str) -> Figure:
    """True labels as rows, predicted ones as columns, with counts and shares of the row."""
    figure = Figure(figsize=(4.6, 4.2), layout="constrained")
    axes = figure.subplots()
    axes.imshow([[cell / max(1, sum(row)) for cell in row] for row in result.matrix],
                cmap="Blues", vmin=0, vmax=1)  # fmt: skip
    for y, row in enumerate(result.matrix):
        for x, cell in enumerate(row):
            share = cell / max(1, sum(row))
            axes.text(x, y, f"{cell}\n{share:.1%}", ha="center", va="center",
                      color="white" if share > 0.5 else "black")  # fmt: skip
    axes.set(xticks=(0, 1), xticklabels=LABELS, yticks=(0, 1), yticklabels=LABELS)
    axes.set(xlabel="predicted", ylabel="true", title=f"{title}, {result.accuracy:.1%} right")
    return figure


def write(result: Evaluation, title: str, folder: Path) -> list[Path]:
    """Write both as PNG into `folder`, made when missing; returns the paths."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / "reliability.png", folder / "confusion.png"]
    for path, draw in zip(paths, (reliability, confusion), strict=True):
        # Without metadata the same figures give the same bytes.
        draw(result, title).savefig(path, dpi=150, metadata={"Software": None})
    return paths
