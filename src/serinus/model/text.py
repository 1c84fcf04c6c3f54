"""From a text to the terms that a model weighs: one function for training and for serving.

Enters: any text. Leaves: a list of terms (words, marked when negated, and runs of two and three
words). Called by `train` and `linear`; changing it changes what every model means, so artifacts
name `VERSION`.
"""

from __future__ import annotations

import re
from typing import Final

VERSION: Final = 4

# Words keep inner apostrophes; any other sign outside ASCII is a word of its own (emoji), except
# typographic quotes, joiners and variation selectors.
_TOKEN: Final = re.compile(
    r"[a-z0-9]+(?:'[a-z]+)?|[.!?;:,]|[^\x00-\x7f\u00a0\u200b-\u200f\u2018-\u201f\ufe0e\ufe0f]"
)
_ELONGATED: Final = re.compile(r"([a-z])\1\1+")
_TRIPLES: Final = ("ooo", "eee", "mmm", "aaa", "sss", "yyy", "lll", "uuu", "iii", "rrr", "www")
_ENDS: Final = frozenset(".!?;:,\u2013\u2014\u2026")
_REACH: Final = 3
"""How many words after a negator are marked as negated, within a clause."""
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
        "cannot",
        "lacks",
        "lacked",
        "lacking",
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
        "ain't",
        "hasn't",
        "haven't",
        "hadn't",
        "isnt",
        "wasnt",
        "arent",
        "werent",
        "dont",
        "doesnt",
        "didnt",
        "wont",
        "wouldnt",
        "cant",
        "couldnt",
        "shouldnt",
        "aint",
        "hasnt",
        "havent",
        "hadnt",
    ]
)
_SPECIAL: Final = _ENDS | _NEGATORS | {"but"}


def terms(text: str) -> list[str]:
    """The terms of `text`, in order and with repetitions; empty for a text without words.

    `not_x` is the word x after a negator; `x y` and `x y z` are neighbours within a clause, `^`
    its start. Never raises: lone surrogates and control characters are no reason to stop.
    """
    low = text.lower().replace("\u2019", "'")
    # Asking for the commonest triples is five times as quick as searching with the pattern.
    for triple in _TRIPLES:
        if triple in low:
            low = _ELONGATED.sub(r"\1\1", low)
            break
    found: list[str] = []
    add = found.append
    before, pair = "^", ""
    reach = 0
    for word in _TOKEN.findall(low):
        special = word in _SPECIAL
        if special:
            if word in _ENDS:
                before, pair = "^", ""
                reach = 0
                if word in "!?":
                    add(word)
                continue
            if word == "but":
                reach = 0
        if reach:
            add("not_" + word)
            reach -= 1
        else:
            add(word)
        if pair:
            add(f"{pair} {word}")
        pair = f"{before} {word}"
        add(pair)
        before = word
        if special and word in _NEGATORS:
            reach = _REACH
    return found
