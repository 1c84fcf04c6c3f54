"""Training: recipes, bytes, and data that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from serinus.errors import ModelError
from serinus.model import engine, lexicon, recipe, train
from serinus.model.data import read
from serinus.model.linear import LinearEngine
from serinus.model.train import Trained

GOOD = ["Lovely soup.", "Great bread!", "We will be back.", "So fresh.", "Kind staff."] * 2
BAD = ["Cold soup.", "Stale bread!", "Never again.", "So bland.", "Rude staff."] * 2


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    lines = [f"{text}\t1" for text in GOOD] + [f"{text}\t0" for text in BAD]
    path = tmp_path / "tiny.tsv"
    path.write_text("\n".join(["Review\tLiked", *lines]) + "\n", "utf-8")
    return path


def test_same_data_same_bytes(tiny: Path, tmp_path: Path) -> None:
    first = train.train([tiny], tmp_path / "a", "reviews", "v2")
    second = train.train([tiny], tmp_path / "b", "reviews", "v2")
    assert first == second
    for name in ("model.json", "manifest.json"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_the_manifest_tells_what_reproduces_it(tiny: Path, tmp_path: Path) -> None:
    made = train.train([tiny], tmp_path / "a", "reviews", "v2")
    assert made.labels == ["negative", "positive"]
    assert made.data_sha256 == read([tiny]).digest()
    assert made.training["recipe"] == "lexicon"
    assert made.training["lexicon_sha256"] == lexicon.load()[1]
    assert {"penalty", "words", "smoothing", "prior_scale", "seed"} <= made.training.keys()
    assert set(made.metrics["cross_validated"]) >= {"accuracy", "ece", "brier"}


def test_v1_is_plain_and_v2_knows_words_it_never_met(tiny: Path, tmp_path: Path) -> None:
    plain = train.train([tiny], tmp_path / "a", "reviews", "v1")
    better = train.train([tiny], tmp_path / "b", "reviews", "v2")
    assert (plain.training["recipe"], better.training["recipe"]) == ("plain", "lexicon")
    unseen = ["scrumptious", "appalling"]
    knows, guesses = engine.load(tmp_path / "b"), engine.load(tmp_path / "a")
    assert isinstance(knows, LinearEngine)
    assert isinstance(guesses, LinearEngine)
    good, bad = (knows.log_odds(text) for text in unseen)
    assert good > bad
    assert guesses.log_odds(unseen[0]) == guesses.log_odds(unseen[1])


def test_an_unknown_recipe_is_named(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="no recipe 'magic'"):
        train.train([tiny], tmp_path / "a", "reviews", "v2", "magic")
    assert not (tmp_path / "a").exists()


def test_recipes_of_the_file_are_complete() -> None:
    assert {recipe.load("v1")[0], recipe.load("v2")[0]} == set(recipe.names())


def test_too_few_reviews_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "few.tsv"
    path.write_text("Good\t1\nBad\t0\n", "utf-8")
    with pytest.raises(ModelError, match="5 reviews of each label"):
        train.train([path], tmp_path / "a", "reviews", "v2")


def test_held_out_reviews_are_calibrated(trained: Trained) -> None:
    mean = (1 / (1 + 2.718281828**-trained.held_out)).mean()
    assert mean == pytest.approx(0.5, abs=0.03)


def test_plain_sentiment_is_read(trained: Trained) -> None:
    texts = [
        "The food was amazing and the staff was friendly.",
        "Great service, we will be back!",
        "Not good. The chicken was dry and bland.",
        "I would not recommend this place.",
        "Never disappoints.",
        "What a waste of money.",
    ]
    assert [odds > 0 for odds in trained.log_odds(texts)] == [True, True, False, False, True, False]
