"""How a model is trained: the numbers of `recipes.toml`, and which recipe a version gets.

Enters: the committed file. Leaves: a `Recipe`. Called by `train`, `tune` and the command line.
"""

from __future__ import annotations

import tomllib
from importlib import resources
from typing import Annotated, Final

import msgspec
from msgspec import Meta, Struct

from serinus.errors import ModelError

FILE: Final = "recipes.toml"
DEFAULT: Final = "lexicon"


class Recipe(Struct, frozen=True, forbid_unknown_fields=True):
    """One way to train.

    `words`: longest run of words that is a term. `min_count`: in how many reviews a run of several
    words must occur. `penalty`: inverse strength of the regularisation (scikit-learn's C).
    `smoothing`: of the log-count ratios that scale the terms; 0 is without them.
    `prior_scale`: how freely the lexicon's priors count beside the learned weights; 0 is without
    the lexicon.
    """

    words: Annotated[int, Meta(ge=1, le=3)]
    min_count: Annotated[int, Meta(ge=1)]
    penalty: Annotated[float, Meta(gt=0)]
    smoothing: Annotated[float, Meta(ge=0)]
    prior_scale: Annotated[float, Meta(ge=0)]


class _File(Struct, forbid_unknown_fields=True):
    versions: dict[str, str]
    plain: Recipe
    lexicon: Recipe


def names() -> list[str]:
    """The recipes that exist."""
    return [field for field in _File.__struct_fields__ if field != "versions"]


def load(version: str, name: str | None = None) -> tuple[str, Recipe]:
    """Name and content of the recipe called `name`, or else of the one meant for `version`.

    Raises ModelError for a name that does not exist.
    """
    text = resources.files("serinus.model").joinpath(FILE).read_text("utf-8")
    recipes = msgspec.convert(tomllib.loads(text), _File)
    chosen = name or recipes.versions.get(version, DEFAULT)
    if chosen not in names():
        raise ModelError(
            f"there is no recipe {chosen!r}", where=FILE, remedy=f"Recipes: {', '.join(names())}."
        )
    recipe: Recipe = getattr(recipes, chosen)
    return chosen, recipe
