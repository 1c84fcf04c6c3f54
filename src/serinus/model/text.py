"""From a text to the terms that a model weighs: one function for training and for serving.

Enters: any text. Leaves: a list of terms (words, marked when negated, and pairs of words). Called
by `train` and `linear`; changing it changes what every model means, so artifacts name `VERSION`.
"""

from __future__ import annotations

import re
from typing import Final

VERSION: Final = 1

_TOKEN = re.compile(r"[a-z0-9]+(?:'[a-z]+)*|[.!?;:,]|[^\W\d_a-z]|[\u2190-\U0001faff]")
_NEGATORS: Final = frozenset(
    [
        "not",
        "no",
        "never",
        "none",
        "nothing",
        "nobody",
        "neither",
        "nor",
        "without",
        "hardly",
        "barely",
        "isn't",
        "wasn't",
        "aren't",
        "weren't",
        "don't",
        "doesn't",
        "didn't",
        "won't",
        "wouldn't",
        "can't",
        "couldn't",
        "shouldn't",
        "cannot",
        "ain't",
        "hasn't",
        "haven't",
        "hadn't",
        "dont",
        "didnt",
        "doesnt",
        "wont",
        "wasnt",
        "isnt",
        "cant",
        "couldnt",
        "wouldnt",
    ]
)
_ENDS: Final = frozenset(".!?;:,")
_SCOPE: Final = 4
"""How many words after a negator it still reaches."""


def terms(text: str) -> list[str]:
    """The terms of `text`, in order; empty for a text without words.

    Never raises: lone surrogates and control characters are simply no words.
    """
    found: list[str] = []
    before = "^"
    reach = 0
    for token in _TOKEN.findall(text.lower().replace("\u2019", "'")):
        if token in _ENDS:
            reach = 0
            if token == "!":
                found.append("!")
            continue
        if token == "but":
            reach = 0
        word = f"not_{token}" if reach else token
        found.append(word)
        found.append(f"{before} {token}")
        before = token
        reach = _SCOPE if token in _NEGATORS else max(0, reach - 1)
    return found
