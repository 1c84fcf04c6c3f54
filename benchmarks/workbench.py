"""What all benchmarks share: one model in a registry, texts, and request bodies.

Enters: the repository's reviews. Leaves: a folder with registry, artifact and bodies.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from benchmarks.servers import ROOT
from serinus.clients import registry
from serinus.model import train

VERSION = "v1"  # chooses the recipe, too


@dataclass(frozen=True)
class Workbench:
    """`seconds` is how long one load lasts."""

    folder: Path
    registry: Path
    version: str
    data: list[Path]
    texts: list[str]
    bodies: Path
    seconds: float


def prepare(folder: Path, seconds: float) -> Workbench:
    """Train one model on all reviews, publish it, and write one request body for each review."""
    data = sorted((ROOT / "data/reviews").glob("*.tsv"))
    train.train(data, folder / "artifact", "reviews", VERSION)
    registry.publish(folder / "artifact", str(folder / "registry"))
    texts, _ = train.read(data)
    bodies = folder / "bodies.txt"
    # Evenly picked, since wrk keeps every body in memory.
    picked = texts[:: max(1, len(texts) // 1000)]
    bodies.write_text("".join(json.dumps({"text": text}) + "\n" for text in picked))
    return Workbench(folder, folder / "registry", VERSION, data, texts, bodies, seconds)
