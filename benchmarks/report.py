"""Prints figures as they come, each beside its goal; nothing here fails a build.

Enters: figures from the benchmarks. Leaves: lines on the terminal, and all of them as JSON.
"""

from __future__ import annotations

import json
import sys
from dataclasses import asdict, dataclass, field
from pathlib import Path


@dataclass
class Figure:
    """One measured value; `goal` is words such as `>= 7`, `met` whether it was reached."""

    group: str
    name: str
    value: float
    unit: str
    goal: str = ""
    met: bool | None = None


@dataclass
class Report:
    """Every figure of one run."""

    figures: list[Figure] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    _group: str = ""

    def add(
        self,
        group: str,
        name: str,
        value: float,
        unit: str,
        *,
        at_least: float | None = None,
        at_most: float | None = None,
    ) -> None:
        """Print a figure, with its goal where it has one."""
        goal, met = "", None
        if at_least is not None:
            goal, met = f">= {at_least:g}", value >= at_least
        if at_most is not None:
            goal, met = f"<= {at_most:g}", value <= at_most
        self.figures.append(Figure(group, name, value, unit, goal, met))
        if group != self._group:
            print(f"\n{group}")
            self._group = group
        mark = {None: "", True: "met", False: "NOT MET"}[met]
        print(f"  {name:<58} {_short(value):>9} {unit:<8} {goal:<9} {mark}".rstrip(), flush=True)

    def note(self, text: str) -> None:
        """Say something that belongs to the figures, such as what could not be measured."""
        self.notes.append(text)
        print(f"  ({text})", flush=True)

    def write(self, path: Path) -> None:
        """Keep the figures as JSON."""
        path.parent.mkdir(parents=True, exist_ok=True)
        rows = {"figures": [asdict(figure) for figure in self.figures], "notes": self.notes}
        path.write_text(json.dumps(rows, indent=2) + "\n")
        print(f"\nfigures: {path}", file=sys.stderr)


def _short(value: float) -> str:
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 20 else f"{value:.2f}"
