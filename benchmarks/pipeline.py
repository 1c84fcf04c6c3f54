"""The scikit-learn pipeline that our table of terms is exported from, for comparison."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from serinus.model.text import terms
from serinus.model.train import read


def fit(paths: Sequence[Path]) -> Any:
    """Train on `paths`; a pipeline from texts to probabilities."""
    texts, labels = read(paths)
    pipeline = make_pipeline(
        CountVectorizer(analyzer=terms, binary=True), LogisticRegression(C=1.0, max_iter=2000)
    )
    return pipeline.fit(texts, labels)
