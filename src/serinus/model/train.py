"""Trains the built-in model.

Enters: labelled reviews and a recipe. Leaves: an artifact folder, deterministic to the byte.
Called by `serinus model train` and by the local run, which trains what its registry lacks.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import msgspec
import numpy as np
import sklearn
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from threadpoolctl import threadpool_limits

from serinus.errors import ModelError
from serinus.model import artifact, lexicon, measures, recipe
from serinus.model.artifact import Manifest
from serinus.model.data import LABELS, Reviews
from serinus.model.data import read as read_reviews
from serinus.model.features import TermMatrix
from serinus.model.linear import TABLE, Table
from serinus.model.recipe import Recipe
from serinus.model.text import VERSION, terms

SEED: Final = 7
FOLDS: Final = 5
_DIGITS: Final = 9
"""Decimals of a weight: finer than any difference between two texts."""


def read(paths: Sequence[Path]) -> tuple[list[str], list[int]]:
    """Texts and labels (1 is liked) of `Review<TAB>Liked` files; see `data.read`."""
    reviews = read_reviews(paths)
    return reviews.texts, reviews.labels


def split(texts: Sequence[str]) -> list[list[str]]:
    """The terms of each text."""
    return [terms(text) for text in texts]


def estimator(how: Recipe, priors: Mapping[str, float]) -> Pipeline:
    """From lists of terms to log-odds; put `FunctionTransformer(split)` before it for texts."""
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


def fit(reviews: Reviews, how: Recipe) -> tuple[Pipeline, Table, NDArray[np.float64]]:
    """The scikit-learn pipeline from texts to log-odds, the table that serves it, and for each
    review the calibrated log-odds from the fold that did not train on it.
    """
    priors, _ = lexicon.load()
    found = split(reviews.texts)
    labels = np.asarray(reviews.labels)
    if min(np.bincount(labels)) < FOLDS:
        raise ModelError(f"the data needs {FOLDS} reviews of each label at least")
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=SEED)
    model = estimator(how, priors)
    # The matrices are sparse and small: with more than one thread the fits take 20 times as long.
    with threadpool_limits(1):
        held_out = cross_val_predict(model, found, labels, cv=folds, method="decision_function")
        model.fit(found, labels)
    # Platt's calibration: one slope and one offset, fitted on what was held out.
    calibration = LogisticRegression(C=1e6).fit(held_out.reshape(-1, 1), labels)
    slope = round(float(calibration.coef_[0, 0]), _DIGITS)
    offset = round(float(calibration.intercept_[0]), _DIGITS)
    matrix, regression = model["terms"], model["regression"]
    weights = np.round(matrix.fold(regression.coef_[0]), _DIGITS)
    table = Table(
        text_version=VERSION,
        bias=round(float(regression.intercept_[0]), _DIGITS),
        slope=slope,
        offset=offset,
        weights={
            term: float(weights[index])
            for term, index in matrix.vocabulary_.items()
            if weights[index]
        },
    )
    return _plain(model, table), table, slope * held_out + offset


def _plain(model: Pipeline, table: Table) -> Pipeline:
    """The pipeline with the folded, rounded and calibrated weights, over terms alone."""
    matrix, regression = model["terms"], model["regression"]
    matrix.groups_ = matrix.groups_[:, :0]
    matrix.ratios_ = np.ones(len(matrix.vocabulary_))
    weights = [table.weights.get(term, 0.0) for term in matrix.vocabulary_]
    regression.coef_ = table.slope * np.asarray([weights])
    regression.intercept_ = np.asarray([table.slope * table.bias + table.offset])
    regression.n_features_in_ = len(weights)
    return Pipeline([("split", FunctionTransformer(split)), *model.steps])


def train(
    paths: Sequence[Path], folder: Path, name: str, version: str, recipe_name: str | None = None
) -> Manifest:
    """Train on `paths` and write the artifact into the new `folder`.

    The recipe is the one called `recipe_name`, or the one meant for `version`. Raises ModelError
    when data or recipe cannot be used.
    """
    reviews = read_reviews(paths)
    chosen, how = recipe.load(version, recipe_name)
    _, table, held_out = fit(reviews, how)
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
            "cross_validated": measures.summary(reviews.labels, held_out),
        },
        training=facts
        | msgspec.to_builtins(how)
        | {"scikit_learn": sklearn.__version__, "numpy": np.__version__},
    )
