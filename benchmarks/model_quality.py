"""v1, v2 and VADER on the same texts: the frozen set, and each theme by models that lack it.

Enters: the repository's reviews. Leaves: accuracy with its interval, calibration, size, load time.
The frozen set was written before any training and is never tuned to. VADER comes from PyPI with
its own lexicon and its usual rule: compound at least 0 is positive.
"""

from __future__ import annotations

import statistics
import time
from pathlib import Path

import numpy as np

from benchmarks.report import Report
from benchmarks.servers import ROOT
from benchmarks.workbench import Workbench
from serinus.model import engine, measures, recipe, train
from serinus.model.data import Reviews, read
from serinus.model.evaluate import chances
from serinus.stats.proportion import wilson

FROZEN = "Quality on the frozen set"
THEMES = "Quality on themes left out of training"
SIZE = "Artifact"


def vader(texts: list[str]) -> list[float]:
    """VADER's compound score of each text, as if it were a probability."""
    from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

    analyzer = SentimentIntensityAnalyzer()
    return [(1 + analyzer.polarity_scores(text)["compound"]) / 2 for text in texts]


def told(report: Report, group: str, name: str, labels: list[int], found: list[float]) -> None:
    """Accuracy, its interval, and calibration where there are probabilities."""
    goal = 0.88 if group == FROZEN and name == "v2" else None
    matrix = measures.confusion(labels, found)
    right = matrix[0][0] + matrix[1][1]
    low, high = wilson(right, len(labels))
    report.add(group, f"{name}, accuracy", right / len(labels), "", at_least=goal)
    report.add(group, f"{name}, lower end of its 95 % interval", low, "")
    report.add(group, f"{name}, upper end of its 95 % interval", high, "")
    if name != "VADER":
        bins = measures.reliability(labels, found)
        value = measures.expected_calibration_error(bins)
        report.add(group, f"{name}, expected calibration error", value, "", at_most=0.04)
        report.add(group, f"{name}, Brier score", measures.brier(labels, found), "")


def left_out(reviews: Reviews, version: str) -> list[float]:
    """The probability of each review by a model trained without its theme."""
    how = recipe.load(version)[1]
    found = np.zeros(len(reviews.texts))
    themes = np.asarray(reviews.themes)
    for theme in sorted(set(reviews.themes)):
        out = np.flatnonzero(themes == theme)
        rest = np.flatnonzero(themes != theme)
        kept = Reviews(*([column[i] for i in rest] for column in reviews))
        trained = train.fit(kept, how)
        texts = [reviews.texts[i] for i in out]
        found[out] = measures.probabilities(trained.log_odds(texts))
    return [float(chance) for chance in found]


def measure(bench: Workbench, report: Report) -> None:
    """Quality first, then what the artifact of v2 costs."""
    frozen = read([ROOT / "data/frozen/elsewhere.tsv"])
    reviews = read(bench.data)
    folders: dict[str, Path] = {}
    for version in ("v1", "v2"):
        folders[version] = bench.folder / f"quality-{version}"
        train.train(bench.data, folders[version], "reviews", version)
        model = engine.load(folders[version])
        told(report, FROZEN, version, frozen.labels, chances(model, frozen.texts))
    told(report, FROZEN, "VADER", frozen.labels, vader(frozen.texts))
    for version in ("v1", "v2"):
        told(report, THEMES, version, reviews.labels, left_out(reviews, version))
    told(report, THEMES, "VADER", reviews.labels, vader(reviews.texts))
    size = sum(path.stat().st_size for path in folders["v2"].iterdir()) / 1e6
    report.add(SIZE, "v2, size", size, "MB", at_most=5)
    spent = []
    for _ in range(9):
        started = time.thread_time()
        engine.load(folders["v2"])
        spent.append((time.thread_time() - started) * 1000)
    report.add(SIZE, "v2, verify and load", statistics.median(spent), "ms", at_most=100)
