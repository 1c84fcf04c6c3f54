"""The engine and scikit-learn say the same of the same text."""

from __future__ import annotations

import random
from pathlib import Path

import msgspec
import pytest

from serinus.errors import ModelError
from serinus.model import artifact, engine
from serinus.model.data import LABELS, Reviews
from serinus.model.linear import TABLE, LinearEngine, Table
from serinus.model.text import VERSION
from serinus.model.train import Trained

TEXTS = 10_000
BLOCKS = ((0x20, 0x7E), (0xA0, 0x2FF), (0x2000, 0x2BFF), (0xD800, 0xDFFF), (0x1F300, 0x1FAFF))


def save(folder: Path, table: Table) -> Path:
    artifact.write(
        folder, {TABLE: msgspec.json.encode(table)},
        name="reviews", version="v9", engine="linear", labels=LABELS,
    )  # fmt: skip
    return folder


@pytest.fixture
def served(trained: Trained, tmp_path: Path) -> LinearEngine:
    loaded = engine.load(save(tmp_path / "artifact", trained.table))
    assert isinstance(loaded, LinearEngine)
    return loaded


def fuzzed(known: list[str], seed: int) -> list[str]:
    """Reviews, reviews cut and joined, and characters from everywhere."""
    dice = random.Random(seed)
    texts = list(known)
    while len(texts) < TEXTS:
        kind = len(texts) % 3
        if kind == 0:
            pieces = dice.sample(known, dice.randint(1, 4))
            texts.append(" ".join(piece[dice.randrange(len(piece)) :] for piece in pieces))
        elif kind == 1:
            letters = list(dice.choice(known))
            for _ in range(dice.randint(1, 6)):
                low, high = dice.choice(BLOCKS)
                letters.insert(dice.randrange(len(letters)), chr(dice.randint(low, high)))
            texts.append("".join(letters))
        else:
            low, high = dice.choice(BLOCKS)
            texts.append("".join(chr(dice.randint(low, high)) for _ in range(dice.randint(0, 80))))
    return [*texts, "", "bad " * 25_000]


def test_ten_thousand_texts_agree(trained: Trained, served: LinearEngine, reviews: Reviews) -> None:
    texts = fuzzed(reviews.texts, 11)
    assert len(texts) >= TEXTS
    expected = trained.log_odds(texts)
    # Of 125,000 terms the sum itself is in the hundred thousands: there 1e-9 is meant relatively.
    differences = [
        abs(served.log_odds(text) - float(value)) / max(1.0, abs(float(value)))
        for text, value in zip(texts, expected, strict=True)
    ]
    assert max(differences) <= 1e-9


def test_confidence_belongs_to_the_label(served: LinearEngine) -> None:
    (good, bad, empty) = served.predict(["Delicious!", "Disgusting.", ""])
    assert good[0] == "positive"
    assert bad[0] == "negative"
    assert all(0.5 <= confidence <= 1 for _, confidence in (good, bad, empty))


def test_what_says_nothing_is_not_judged_surely(served: LinearEngine) -> None:
    for text in ("", "\ud800", "\x00", "zzyzx", "良"):
        [(_, confidence)] = served.predict([text])
        assert confidence < (0.8 if text else 0.6)


def test_extreme_evidence_stays_a_probability(tmp_path: Path) -> None:
    weights = {"good": 1e308, "bad": -1e308}
    table = Table(text_version=VERSION, bias=0.0, slope=1.0, offset=0.0, weights=weights)
    loaded = engine.load(save(tmp_path / "artifact", table))
    assert loaded.predict(["good", "bad"]) == [("positive", 1.0), ("negative", 1.0)]


def test_a_table_of_another_text_handling_is_refused(trained: Trained, tmp_path: Path) -> None:
    old = msgspec.structs.replace(trained.table, text_version=1)
    with pytest.raises(ModelError, match="text handling 1"):
        engine.load(save(tmp_path / "artifact", old))
