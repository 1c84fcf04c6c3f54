"""Judges a loaded model on labelled reviews.

Enters: an engine and reviews. Leaves: an `Evaluation`, numbers only. Called by `serinus model
evaluate` and the benchmark; drawing it is `plots`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import numpy as np

from serinus.model import measures
from serinus.model.data import LABELS, Reviews
from serinus.model.engine import Engine
from serinus.model.measures import Bin

Interval = Callable[[int, int], tuple[float, float]]
LENGTHS: Final = (25, 50, 100, 200)
"""Upper bounds, in characters, of the groups by length; the last group is open."""


class Part(NamedTuple):
    """How many reviews of one theme or length there were and how many were judged right."""

    name: str
    right: int
    total: int


class Mistake(NamedTuple):
    """A review judged wrong: the true label and the probability given to the other one."""

    text: str
    label: str
    confidence: float


class Evaluation(NamedTuple):
    """`matrix` has true labels as rows, predicted ones as columns, negative first."""

    total: int
    accuracy: float
    low: float
    high: float
    matrix: list[list[int]]
    f1: dict[str, float]
    brier: float
    ece: float
    bins: list[Bin]
    themes: list[Part]
    lengths: list[Part]
    mistakes: list[Mistake]


def chances(engine: Engine, texts: Sequence[str]) -> list[float]:
    """The probability of the positive label for each text."""
    return [
        confidence if label == LABELS[1] else 1 - confidence
        for label, confidence in engine.predict(texts)
    ]


def evaluate(engine: Engine, reviews: Reviews, interval: Interval) -> Evaluation:
    """Judge `engine` on `reviews`.

    `interval` turns (right, total) into bounds of the accuracy (`stats.proportion.wilson`, a
    stranger to this room). Mistakes come with the surest one first.
    """
    found = chances(engine, reviews.texts)
    matrix = measures.confusion(reviews.labels, found)
    right = matrix[0][0] + matrix[1][1]
    bins = measures.reliability(reviews.labels, found)
    low, high = interval(right, len(found))
    hits = [(chance >= 0.5) == bool(y) for chance, y in zip(found, reviews.labels, strict=True)]
    mistakes = [
        Mistake(text, LABELS[y], max(chance, 1 - chance))
        for text, y, chance, hit in zip(reviews.texts, reviews.labels, found, hits, strict=True)
        if not hit
    ]
    return Evaluation(
        total=len(found),
        accuracy=right / len(found),
        low=low,
        high=high,
        matrix=matrix,
        f1={name: measures.f1(matrix, label) for label, name in enumerate(LABELS)},
        brier=measures.brier(reviews.labels, found),
        ece=measures.expected_calibration_error(bins),
        bins=bins,
        themes=_parts(reviews.themes, hits, sorted(set(reviews.themes))),
        lengths=_parts([_length(text) for text in reviews.texts], hits, _length_names()),
        mistakes=sorted(mistakes, key=lambda mistake: -mistake.confidence),
    )


def _length_names() -> list[str]:
    starts = (1, *(bound + 1 for bound in LENGTHS))
    closed = [f"{low} to {high}" for low, high in zip(starts, LENGTHS, strict=False)]
    return [*closed, f"over {LENGTHS[-1]}"]


def _length(text: str) -> str:
    return _length_names()[int(np.searchsorted(LENGTHS, len(text)))]


def _parts(keys: Sequence[str], hits: Sequence[bool], names: Sequence[str]) -> list[Part]:
    parts = []
    for name in names:
        inside = [hit for key, hit in zip(keys, hits, strict=True) if key == name]
        if inside:
            parts.append(Part(name, sum(inside), len(inside)))
    return parts
