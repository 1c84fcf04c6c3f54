"""The built-in engine: a table of term weights, scored in plain Python.

Enters: an artifact folder with `model.json`. Leaves: labels with calibrated probabilities. Loaded
by `engine.load`; it needs neither numpy nor scikit-learn.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from serinus.errors import ModelError
from serinus.model.artifact import Manifest
from serinus.model.text import VERSION, terms

TABLE: Final = "model.json"
DAMPING: Final = 6
"""Added to a text's number of terms, so that one unknown word is no strong evidence."""


class Table(Struct, frozen=True, forbid_unknown_fields=True):
    """`bias` plus the weight of each term each time it occurs is the sum of a text's evidence.

    The log-odds of the second label are `offset` plus `slope` times that sum over the square root
    of the number of terms plus `DAMPING`, or `offset` alone where there are no terms.
    """

    text_version: int
    bias: float
    slope: float
    offset: float
    weights: dict[str, float]


class LinearEngine:
    """Scores texts with one table."""

    def __init__(self, table: Table, manifest: Manifest) -> None:
        if table.text_version != VERSION:
            raise ModelError(
                f"the model was trained with text handling {table.text_version}, "
                f"this program has {VERSION}",
                where=f"{manifest.name} {manifest.version}",
                remedy="Train it again: serinus model train.",
            )
        self.manifest = manifest
        self.blocking = False
        self._weights = table.weights
        self._bias = table.bias
        self._offset = table.offset
        self._slope = table.slope
        self._negative, self._positive = manifest.labels

    @classmethod
    def load(cls, folder: Path, manifest: Manifest) -> LinearEngine:
        """Read `model.json`; ModelError when it is not a table of this program."""
        path = folder / TABLE
        try:
            table = msgspec.json.decode(path.read_bytes(), type=Table)
        except (OSError, msgspec.DecodeError) as error:
            raise ModelError(f"not a table of term weights: {error}", where=str(path)) from error
        return cls(table, manifest)

    def log_odds(self, text: str) -> float:
        """The calibrated log-odds of the second label."""
        weight = self._weights.get
        found = terms(text)
        if not found:
            return self._offset
        total = self._bias + sum(filter(None, map(weight, found)))
        return self._offset + self._slope * total / math.sqrt(len(found) + DAMPING)

    def predict(self, texts: Sequence[str]) -> list[tuple[str, float]]:
        """Per text the label and its probability, 0.5 to 1."""
        return [self._one(text) for text in texts]

    def _one(self, text: str) -> tuple[str, float]:
        odds = self.log_odds(text)
        if odds >= 0:
            return self._positive, 1 / (1 + math.exp(-min(odds, 700.0)))
        return self._negative, 1 / (1 + math.exp(max(odds, -700.0)))
