"""The project's own lexicon: words and short phrases with a prior from -4 (awful) to 4 (superb).

Enters: `lexicon.tsv`. Leaves: a dictionary and its hash. Called by training only: priors end up
in the weights of the terms, so serving knows no lexicon.
"""

from __future__ import annotations

import hashlib
from importlib import resources
from typing import Final

from serinus.errors import ModelError

FILE: Final = "lexicon.tsv"
LIMIT: Final = 4.0


def load() -> tuple[dict[str, float], str]:
    """The prior of each term, and the SHA-256 of the file; ModelError names a wrong line."""
    data = resources.files("serinus.model").joinpath(FILE).read_bytes()
    return parse(data.decode()), hashlib.sha256(data).hexdigest()


def parse(text: str) -> dict[str, float]:
    """Read `Term<TAB>Prior` lines, the first of which is that heading."""
    priors: dict[str, float] = {}
    for number, line in enumerate(text.splitlines()[1:], start=2):
        term, _, prior = line.partition("\t")
        try:
            value = float(prior)
        except ValueError as error:
            raise ModelError("expected a number", where=f"{FILE}:{number}") from error
        if not term or term in priors or not 0 < abs(value) <= LIMIT:
            raise ModelError("an empty or repeated term, or no prior", where=f"{FILE}:{number}")
        priors[term] = value
    return priors
