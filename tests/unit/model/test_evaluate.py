"""Measures against numbers worked out by hand, and the evaluation of an engine."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from serinus.model import evaluate, measures, plots, recipe, tune
from serinus.model.data import Reviews
from serinus.stats.proportion import wilson

LABELS = [1, 1, 1, 0, 0]
CHANCES = [0.9, 0.8, 0.4, 0.3, 0.6]


class Fixed:
    """Says what it was told to say."""

    manifest: Any = None

    def predict(self, texts: Sequence[str]) -> list[tuple[str, float]]:
        chances = dict(zip("abcde", CHANCES, strict=True))
        return [
            (
                "positive" if chances[text] >= 0.5 else "negative",
                max(chances[text], 1 - chances[text]),
            )
            for text in texts
        ]


@pytest.fixture
def judged() -> evaluate.Evaluation:
    reviews = Reviews(list("abcde"), LABELS, ["x", "x", "y", "y", "y"])
    return evaluate.evaluate(Fixed(), reviews, wilson)


def test_measures() -> None:
    matrix = measures.confusion(LABELS, CHANCES)
    assert matrix == [[1, 1], [1, 2]]
    assert measures.f1(matrix, 1) == pytest.approx(4 / 6)
    assert measures.f1(matrix, 0) == pytest.approx(2 / 4)
    assert measures.f1([[3, 0], [0, 0]], 1) == 0
    assert measures.brier(LABELS, CHANCES) == pytest.approx((0.01 + 0.04 + 0.36 + 0.09 + 0.36) / 5)


def test_calibration_error_weighs_bins_by_size() -> None:
    bins = measures.reliability([1, 1, 0, 1], [0.97, 0.97, 0.97, 0.51])
    assert [(b.size, b.accuracy) for b in bins if b.size] == [(1, 1.0), (3, pytest.approx(2 / 3))]
    expected = (3 * (0.97 - 2 / 3) + 0.49) / 4
    assert measures.expected_calibration_error(bins) == pytest.approx(expected)


def test_probabilities_survive_extremes() -> None:
    assert list(measures.probabilities([-1e9, 0.0, 1e9])) == pytest.approx([0, 0.5, 1])


def test_an_engine_is_judged(judged: evaluate.Evaluation) -> None:
    assert judged.accuracy == 0.6
    assert judged.low < 0.6 < judged.high
    assert [(part.name, part.right, part.total) for part in judged.themes] == [
        ("x", 2, 2),
        ("y", 1, 3),
    ]
    assert [(part.name, part.total) for part in judged.lengths] == [("1 to 25", 5)]
    assert [(m.text, m.label) for m in judged.mistakes] == [("c", "positive"), ("e", "negative")]


def test_plots_are_the_same_bytes_twice(judged: evaluate.Evaluation, tmp_path: Path) -> None:
    first = plots.write(judged, "reviews v2", tmp_path / "a")
    second = plots.write(judged, "reviews v2", tmp_path / "b")
    for one, other in zip(first, second, strict=True):
        data = one.read_bytes()
        assert data.startswith(b"\x89PNG")
        assert data == other.read_bytes()


def test_tuning_holds_out_whole_themes(reviews: Reviews, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tune, "GRID", {"words": (1, 2)})
    few = Reviews(*(list(column[::8]) for column in reviews))
    said: list[str] = []
    chosen = tune.tune(few, recipe.load("v1")[1], said.append)
    assert set(chosen.by_theme) == set(few.themes)
    assert len(said) == len(chosen.by_theme)
    assert chosen.recipe.words in (1, 2)
    assert 0.4 < chosen.nested <= 1


def test_the_plain_recipe_stays_plain() -> None:
    found = list(tune.candidates(recipe.load("v1")[1]))
    assert len(found) > 1
    assert {(how.smoothing, how.prior_scale) for how in found} == {(0.0, 0.0)}
