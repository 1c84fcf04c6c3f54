"""Trains the built-in model.

Enters: labelled reviews and a recipe. Leaves: an artifact folder, deterministic to the byte.
Called by `serinus model train` and by the local run, which trains what its registry lacks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import msgspec
import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from serinus.errors import ModelError
from serinus.model import artifact, lexicon, measures, recipe
from serinus.model.artifact import Manifest
from serinus.model.data import LABELS, Reviews
from serinus.model.data import read as read_reviews
from serinus.model.features import TermMatrix
from serinus.model.linear import DAMPING, TABLE, Table
from serinus.model.recipe import Recipe
from serinus.model.text import VERSION, terms

SEED: Final = 7
FOLDS: Final = 5
_DIGITS: Final = 12
"""Decimals of a weight: finer than any difference between two texts."""


def read(paths: Sequence[Path]) -> tuple[list[str], list[int]]:
    """Texts and labels (1 is liked) of `Review<TAB>Liked` files; see `data.read`."""
    reviews = read_reviews(paths)
    return reviews.texts, reviews.labels


def split(texts: Sequence[str]) -> list[list[str]]:
    """The terms of each text."""
    return [terms(text) for text in texts]


def estimator(how: Recipe, priors: Mapping[str, float]) -> Pipeline:
    """From lists of terms (see `split`) to the sum of their weights."""
    return Pipeline(
        [
            ("terms", TermMatrix(how.words, how.min_count, how.smoothing, priors, how.prior_scale)),
            # liblinear is exact to the bit for one seed, and takes a second for all folds.
            (
                "regression",
                LogisticRegression(C=how.penalty, solver="liblinear", random_state=SEED),
            ),
        ]
    )


class Trained(NamedTuple):
    """The fitted scikit-learn parts, the table that serves them, and for each review the calibrated
    log-odds from the fold that did not train on it.
    """

    model: Pipeline
    table: Table
    held_out: NDArray[np.float64]

    def log_odds(self, texts: Sequence[str]) -> NDArray[np.float64]:
        """Calibrated log-odds by scikit-learn; the engine must say the same."""
        found = split(texts)
        return self.table.slope * shrunk(self.model, found) + self.table.offset


def shrunk(model: Pipeline, found: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    """The model's sums over the square root of their number of terms, as the engine takes them."""
    return _shrink(np.asarray(model.decision_function(found)), found)


def _shrink(sums: NDArray[np.float64], found: Sequence[Sequence[str]]) -> NDArray[np.float64]:
    # Long reviews add up more evidence than they hold; with this one slope fits all lengths.
    lengths = np.asarray([len(terms) for terms in found])
    return np.where(lengths > 0, sums / np.sqrt(lengths + DAMPING), 0.0)


def fit(reviews: Reviews, how: Recipe) -> Trained:
    """Train on all of `reviews`; ModelError when there are too few."""
    priors, _ = lexicon.load()
    found = split(reviews.texts)
    labels = np.asarray(reviews.labels)
    if min(np.bincount(labels)) < FOLDS:
        raise ModelError(f"the data needs {FOLDS} reviews of each label at least")
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    model = estimator(how, priors)
    # The matrices are sparse and small: with more than one thread the fits take 20 times as long.
    with threadpool_limits(1):
        sums = cross_val_predict(model, found, labels, cv=folds, method="decision_function")
        model.fit(found, labels)
        # Platt's calibration: one slope and one offset, fitted on what was held out.
        held_out = _shrink(sums, found)
        calibration = LogisticRegression(C=1e6).fit(held_out.reshape(-1, 1), labels)
    slope, offset = float(calibration.coef_[0, 0]), float(calibration.intercept_[0])
    matrix, regression = model["terms"], model["regression"]
    weights = np.round(matrix.fold(regression.coef_[0]), _DIGITS)
    table = Table(
        text_version=VERSION,
        bias=float(regression.intercept_[0]),
        slope=slope,
        offset=offset,
        weights={
            term: float(weights[index])
            for term, index in matrix.vocabulary_.items()
            if weights[index]
        },
    )
    return Trained(model, table, slope * held_out + offset)


def train(
    paths: Sequence[Path], folder: Path, name: str, version: str, recipe_name: str | None = None
) -> Manifest:
    """Train on `paths` and write the artifact into the new `folder`.

    The recipe is the one called `recipe_name`, or the one meant for `version`. Raises ModelError
    when data or recipe cannot be used.
    """
    reviews = read_reviews(paths)
    chosen, how = recipe.load(version, recipe_name)
    trained = fit(reviews, how)
    table = trained.table
    _, lexicon_digest = lexicon.load()
    facts: dict[str, Any] = {"recipe": chosen, "seed": SEED, "text": VERSION}
    if how.prior_scale:
        facts["lexicon_sha256"] = lexicon_digest
    return artifact.write(
        folder,
        {TABLE: msgspec.json.encode(table, order="sorted")},
        name=name,
        version=version,
        engine="linear",
        labels=LABELS,
        description=f"Sentiment of restaurant reviews, recipe {chosen}",
        data_sha256=reviews.digest(),
        metrics={
            "reviews": len(reviews.texts),
            "terms": len(table.weights),
            "cross_validated": measures.summary(reviews.labels, trained.held_out),
        },
        training=facts
        | msgspec.to_builtins(how)
        | {"scikit_learn": sklearn.__version__, "numpy": np.__version__},
    )
