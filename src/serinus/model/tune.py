"""Chooses the numbers of a recipe by nested cross-validation.

Enters: labelled reviews with their themes. Leaves: the best recipe and an honest estimate of what
choosing this way is worth. Called by `serinus model tune`. Both loops hold out whole themes, since
a model will meet subjects that it never saw; no other data is looked at.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import GroupKFold
from threadpoolctl import threadpool_limits

from serinus.errors import ModelError
from serinus.model import lexicon
from serinus.model.data import Reviews
from serinus.model.recipe import Recipe
from serinus.model.train import estimator, split

INNER_FOLDS: Final = 3
GRID: Final[Mapping[str, tuple[float, ...]]] = {
    "words": (2, 3),
    "penalty": (0.5, 1.0, 2.0),
    "smoothing": (0.25, 0.5),
    "prior_scale": (0.1, 0.2),
}


class Chosen(NamedTuple):
    """`nested` is the accuracy on themes that neither training nor choosing had seen, and
    `by_theme` the same for each; `score` is the winner's accuracy, flattered by winning.
    """

    recipe: Recipe
    score: float
    nested: float
    by_theme: dict[str, float]


def candidates(start: Recipe) -> Iterator[Recipe]:
    """The recipes to try; what `start` leaves out (a lexicon, the ratios) stays out."""
    names = [name for name in GRID if getattr(start, name)]
    for values in itertools.product(*(GRID[name] for name in names)):
        chosen = {n: int(v) if n == "words" else v for n, v in zip(names, values, strict=True)}
        yield msgspec.structs.replace(start, **chosen)


def tune(reviews: Reviews, start: Recipe, say: Callable[[str], None]) -> Chosen:
    """Choose among `candidates(start)`; ModelError when there are too few themes to hold out."""
    themes = np.asarray(reviews.themes)
    if len(set(reviews.themes)) <= INNER_FOLDS:
        raise ModelError(f"nested cross-validation needs more than {INNER_FOLDS} themes (files)")
    found = np.empty(len(reviews.texts), dtype=object)
    found[:] = split(reviews.texts)
    labels = np.asarray(reviews.labels)
    priors, _ = lexicon.load()
    by_theme, right = {}, 0
    with threadpool_limits(1):
        for theme in sorted(set(reviews.themes)):
            out = themes == theme
            best, _ = _best(found[~out], labels[~out], themes[~out], start, priors)
            model = estimator(best, priors).fit(found[~out], labels[~out])
            hits = int(np.sum(model.predict(found[out]) == labels[out]))
            right += hits
            by_theme[theme] = hits / int(out.sum())
            say(f"without {theme}: {best} gives {by_theme[theme]:.3f} on it")
        recipe, score = _best(found, labels, themes, start, priors)
    return Chosen(recipe, score, right / len(labels), by_theme)


def _best(
    found: NDArray[np.object_],
    labels: NDArray[np.int_],
    themes: NDArray[np.str_],
    start: Recipe,
    priors: Mapping[str, float],
) -> tuple[Recipe, float]:
    """The candidate that is right most often on held-out themes; of equals the first."""
    folds = list(GroupKFold(INNER_FOLDS).split(found, labels, themes))
    best, top = start, -1.0
    for how in candidates(start):
        hits = 0
        for train, test in folds:
            model = estimator(how, priors).fit(found[train], labels[train])
            hits += int(np.sum(model.predict(found[test]) == labels[test]))
        if hits / len(labels) > top:
            best, top = how, hits / len(labels)
    return best, top
