"""A small model that every test of the room may read, trained once."""

from __future__ import annotations

from pathlib import Path

import pytest

from serinus.model import recipe, train
from serinus.model.data import Reviews, read
from serinus.model.train import Trained

ROOT = Path(__file__).resolve().parents[3]
SMALL = [ROOT / "data/reviews" / f"{theme}.tsv" for theme in ("plain", "place", "price", "short")]


@pytest.fixture(scope="session")
def reviews() -> Reviews:
    """Four themes of the data set."""
    return read(SMALL)


@pytest.fixture(scope="session")
def trained(reviews: Reviews) -> Trained:
    """The better recipe, fitted to them."""
    return train.fit(reviews, recipe.load("v2")[1])
