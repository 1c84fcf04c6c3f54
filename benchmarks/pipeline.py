"""The scikit-learn pipeline that our table of terms is exported from, for comparison."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from serinus.model import recipe, train
from serinus.model.data import read


def fit(paths: Sequence[Path], version: str) -> Any:
    """Train on `paths` with the recipe of `version`; a pipeline from texts to probabilities."""
    model = train.fit(read(paths), recipe.load(version)[1]).model
    return Pipeline([("split", FunctionTransformer(train.split)), *model.steps])
