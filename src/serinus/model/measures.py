"""How good predictions are: accuracy, F1, Brier score, calibration (pure numbers).

Enters: labels (1 is positive) and calibrated log-odds or probabilities of the positive label.
Leaves: plain numbers. Called by training for the manifest, by evaluation and by the benchmark.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

BINS: Final = 10


class Bin(NamedTuple):
    """Predictions whose confidence lies between `low` and `high`: mean confidence, accuracy."""

    low: float
    high: float
    size: int
    confidence: float
    accuracy: float


def probabilities(log_odds: ArrayLike) -> NDArray[np.float64]:
    """The probability of the positive label for each log-odds."""
    return np.asarray(1 / (1 + np.exp(-np.clip(np.asarray(log_odds, float), -700, 700))))


def confusion(labels: Sequence[int], chances: ArrayLike) -> list[list[int]]:
    """Rows are the true labels, columns the predicted ones; negative first."""
    said = (np.asarray(chances) >= 0.5).astype(int)
    truth = np.asarray(labels)
    return [[int(np.sum((truth == t) & (said == s))) for s in (0, 1)] for t in (0, 1)]


def f1(matrix: list[list[int]], label: int) -> float:
    """The F1 score of one label; 0 where it was neither there nor said."""
    hits = matrix[label][label]
    other = 1 - label
    relevant = 2 * hits + matrix[other][label] + matrix[label][other]
    return 2 * hits / relevant if relevant else 0.0


def brier(labels: Sequence[int], chances: ArrayLike) -> float:
    """Mean squared distance of probability and truth; 0.25 is guessing."""
    return float(np.mean((np.asarray(chances) - np.asarray(labels)) ** 2))


def reliability(labels: Sequence[int], chances: ArrayLike, bins: int = BINS) -> list[Bin]:
    """Bins of equal width over the confidence of the predicted label, 0.5 to 1; empty ones too."""
    chance = np.asarray(chances, float)
    confidence = np.maximum(chance, 1 - chance)
    right = (chance >= 0.5) == (np.asarray(labels) == 1)
    edges = np.linspace(0.5, 1.0, bins + 1)
    place = np.clip(np.searchsorted(edges, confidence, side="right") - 1, 0, bins - 1)
    found = []
    for index in range(bins):
        inside = place == index
        size = int(inside.sum())
        mean = float(confidence[inside].mean()) if size else 0.0
        accuracy = float(right[inside].mean()) if size else 0.0
        found.append(Bin(float(edges[index]), float(edges[index + 1]), size, mean, accuracy))
    return found


def expected_calibration_error(bins: Sequence[Bin]) -> float:
    """Mean distance of confidence and accuracy over the bins, weighted by size."""
    total = sum(b.size for b in bins)
    return sum(b.size * abs(b.confidence - b.accuracy) for b in bins) / total


def summary(labels: Sequence[int], log_odds: ArrayLike) -> dict[str, Any]:
    """The figures that a manifest carries, rounded to four decimals."""
    chances = probabilities(log_odds)
    matrix = confusion(labels, chances)
    figures = {
        "accuracy": (matrix[0][0] + matrix[1][1]) / len(labels),
        "f1_negative": f1(matrix, 0),
        "f1_positive": f1(matrix, 1),
        "brier": brier(labels, chances),
        "ece": expected_calibration_error(reliability(labels, chances)),
    }
    return {name: round(value, 4) for name, value in figures.items()}
