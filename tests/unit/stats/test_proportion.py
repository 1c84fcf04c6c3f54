"""Wilson's interval against published values and at its edges."""

from __future__ import annotations

import pytest
from scipy.stats import binomtest

from serinus.stats.proportion import wilson


@pytest.mark.parametrize(
    ("k", "n"), [(0, 10), (1, 10), (10, 10), (81, 263), (15, 148), (200, 2000)]
)
@pytest.mark.parametrize("level", [0.9, 0.95, 0.999])
def test_agrees_with_scipy(k: int, n: int, level: float) -> None:
    expected = binomtest(k, n).proportion_ci(level, method="wilson")
    assert wilson(k, n, level) == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_no_trials_say_nothing() -> None:
    assert wilson(0, 0) == (0.0, 1.0)


@pytest.mark.parametrize(("k", "n", "level"), [(-1, 3, 0.95), (4, 3, 0.95), (1, 3, 1.0)])
def test_impossible_counts_are_refused(k: int, n: int, level: float) -> None:
    with pytest.raises(ValueError, match=r"trials|level"):
        wilson(k, n, level)
