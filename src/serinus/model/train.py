"""Trains the built-in model.

Enters: labelled reviews. Leaves: an artifact folder, deterministic to the byte. Called by
`serinus model train` and by the local run, which trains what its registry lacks.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec
import numpy as np
import sklearn
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedKFold, cross_val_predict
from sklearn.pipeline import make_pipeline

from serinus.errors import ModelError
from serinus.model import artifact
from serinus.model.artifact import Manifest
from serinus.model.linear import TABLE, Table
from serinus.model.text import VERSION, terms

LABELS: Final = ["negative", "positive"]
SEED: Final = 7


def read(paths: Sequence[Path]) -> tuple[list[str], list[int]]:
    """Texts and labels (1 is liked) of `Review<TAB>Liked` files.

    Raises ModelError naming the file and line that does not fit.
    """
    texts: list[str] = []
    labels: list[int] = []
    for path in paths:
        for number, line in enumerate(path.read_text("utf-8").splitlines(), start=1):
            text, _, label = line.rpartition("\t")
            if number == 1 and (text, label) == ("Review", "Liked"):
                continue
            if not text.strip() or label not in ("0", "1"):
                raise ModelError("expected a text, a tab, and 1 or 0", where=f"{path}:{number}")
            texts.append(text)
            labels.append(int(label))
    if len(set(labels)) != len(LABELS):
        raise ModelError(
            "the data needs reviews that were liked and reviews that were not",
            where=", ".join(map(str, paths)),
        )
    return texts, labels


def train(paths: Sequence[Path], folder: Path, name: str, version: str) -> Manifest:
    """Train on `paths` and write the artifact into the new `folder`."""
    texts, labels = read(paths)
    pipeline = make_pipeline(
        CountVectorizer(analyzer=terms, binary=True), LogisticRegression(C=1.0, max_iter=2000)
    )
    folds = StratifiedKFold(5, shuffle=True, random_state=SEED)
    held_out = cross_val_predict(pipeline, texts, labels, cv=folds, method="decision_function")
    accuracy = float(np.mean((held_out > 0) == np.asarray(labels, dtype=bool)))
    calibration = LogisticRegression(C=1e6).fit(held_out.reshape(-1, 1), labels)
    pipeline.fit(texts, labels)
    vectorizer, regression = pipeline[0], pipeline[1]
    table = Table(
        text_version=VERSION,
        bias=float(regression.intercept_[0]),
        slope=float(calibration.coef_[0, 0]),
        offset=float(calibration.intercept_[0]),
        weights={
            term: round(float(regression.coef_[0, index]), 6)
            for term, index in sorted(vectorizer.vocabulary_.items())
        },
    )
    digest = hashlib.sha256(
        "".join(f"{t}\t{y}\n" for t, y in zip(texts, labels, strict=True)).encode()
    )
    return artifact.write(
        folder,
        {TABLE: msgspec.json.encode(table, order="sorted")},
        name=name, version=version, engine="linear", labels=LABELS,
        data_sha256=digest.hexdigest(),
        metrics={"cross_validated_accuracy": round(accuracy, 4), "reviews": len(texts)},
        training={"scikit-learn": sklearn.__version__, "seed": SEED},
    )  # fmt: skip
