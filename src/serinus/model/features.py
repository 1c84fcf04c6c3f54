"""Terms as a matrix, and the lexicon's priors beside them, for scikit-learn.

Enters: per text its list of terms. Leaves: a sparse matrix. Called by `train` and `tune`. The
columns are linear in the counts of terms, so a regression on them folds into one weight per term.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Final, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import sparse
from sklearn.base import BaseEstimator, TransformerMixin

NEGATED: Final = "not_"
_GROUPS: Final = 6
"""Praise and blame: as words, as negated words, as phrases."""


class TermMatrix(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """Counts terms and, per group of the lexicon, adds the sum of the priors found.

    Learns every word, runs of up to `words` words that occur in `min_count` texts, and with a
    `scale` above 0 what the lexicon `priors` knows, seen or not. How much each group is worth is
    left to the regression; what it is worth then reaches words that no review had.
    """

    def __init__(
        self,
        words: int,
        min_count: int,
        smoothing: float,
        priors: Mapping[str, float],
        scale: float,
    ) -> None:
        self.words = words
        self.min_count = min_count
        self.smoothing = smoothing
        self.priors = priors
        self.scale = scale

    def fit(self, texts: Sequence[Sequence[str]], y: ArrayLike) -> Self:
        """Learn the vocabulary, in alphabetical order so that the texts' order doesn't matter."""
        frequency = Counter(term for terms in texts for term in set(terms))
        known = {
            term
            for term, count in frequency.items()
            if term.count(" ") < self.words and (count >= self.min_count or " " not in term)
        }
        if self.scale:
            known.update(term for term in self.priors if term.count(" ") < self.words)
            known.update(NEGATED + term for term in self.priors if " " not in term)
        self.vocabulary_ = {term: index for index, term in enumerate(sorted(known))}
        self.groups_ = self._groups()
        self.ratios_ = self._ratios(self._counts(texts), np.asarray(y))
        return self

    def _ratios(self, counts: sparse.csr_matrix, labels: NDArray[np.int_]) -> NDArray[np.float64]:
        """How much each term alone tells: the size of its log-count ratio between the labels.

        As column scales they let the regression spend its weight on telling words rather than on
        those that every review has. After Wang and Manning, "Baselines and bigrams", 2012.
        """
        if not self.smoothing:
            return np.ones(counts.shape[1])
        shares = []
        for label in (1, 0):
            smoothed = np.asarray(counts[labels == label].sum(axis=0)).ravel() + self.smoothing
            shares.append(smoothed / smoothed.sum())
        return np.asarray(np.abs(np.log(shares[0] / shares[1])), np.float64)

    def _groups(self) -> sparse.csr_matrix:
        """Terms by groups: each known term's scaled prior in the column of its group."""
        rows, columns, values = [], [], []
        for term, row in self.vocabulary_.items():
            prior = self.priors.get(term.removeprefix(NEGATED), 0.0) * self.scale
            if prior:
                kind = 2 if " " in term else int(term.startswith(NEGATED))
                rows.append(row)
                columns.append(2 * kind + int(prior < 0))
                values.append(prior)
        return sparse.csr_matrix((values, (rows, columns)), (len(self.vocabulary_), _GROUPS))

    def _counts(self, texts: Sequence[Sequence[str]]) -> sparse.csr_matrix:
        """Texts by terms; unknown terms are dropped."""
        index = self.vocabulary_.get
        columns: list[int] = []
        ends = [0]
        for terms in texts:
            columns.extend(found for term in terms if (found := index(term)) is not None)
            ends.append(len(columns))
        counts = sparse.csr_matrix(
            (np.ones(len(columns)), np.asarray(columns, dtype=np.int32), ends),
            shape=(len(texts), len(self.vocabulary_)),
        )
        counts.sum_duplicates()
        return counts

    def transform(self, texts: Sequence[Sequence[str]]) -> sparse.csr_matrix:
        """Texts by terms (counts, scaled) and groups (sums of priors, scaled)."""
        counts = self._counts(texts)
        own = counts @ sparse.diags_array(self.ratios_)
        return sparse.hstack([own, counts @ self.groups_], format="csr")

    def fold(self, coefficients: NDArray[np.float64]) -> NDArray[np.float64]:
        """One weight per counted term, equal in effect to the coefficients of all columns."""
        size = len(self.vocabulary_)
        own = self.ratios_ * coefficients[:size]
        return np.asarray(own + self.groups_ @ coefficients[size:], np.float64)
