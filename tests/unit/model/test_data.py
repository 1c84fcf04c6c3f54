"""Reading reviews, the data set itself, near-duplicates, the lexicon."""

from __future__ import annotations

from pathlib import Path

import pytest

from serinus.errors import ModelError
from serinus.model import lexicon
from serinus.model.data import read
from serinus.model.duplicates import near

DATA = Path(__file__).resolve().parents[3] / "data"


def write(path: Path, text: str) -> Path:
    path.write_text(text, "utf-8")
    return path


def test_heading_further_columns_and_line_ends(tmp_path: Path) -> None:
    path = write(
        tmp_path / "soup.tsv", "Review\tLiked\tTrack\r\nGood\t1\tcanary\r\nBad\t0\tstable\r\n"
    )
    assert read([path]) == (["Good", "Bad"], [1, 0], ["soup", "soup"])


def test_a_line_separator_is_part_of_a_text(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tsv", "Good\u2028really\t1\nBad\t0\n")
    assert read([path]).texts[0] == "Good\u2028really"


@pytest.mark.parametrize("line", ["Good", "Good\t2", "\t1", "Good\tyes", ""])
def test_a_wrong_line_is_named(tmp_path: Path, line: str) -> None:
    path = write(tmp_path / "a.tsv", f"Bad\t0\n{line}\nGood\t1\n")
    with pytest.raises(ModelError) as raised:
        read([path])
    assert raised.value.where.endswith("a.tsv:2")


def test_one_label_alone_cannot_be_learned(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="liked and reviews that were not"):
        read([write(tmp_path / "a.tsv", "Good\t1\n")])


def test_what_is_not_text_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.tsv"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ModelError, match="UTF-8"):
        read([path])


def test_near_duplicates_are_found() -> None:
    texts = [
        "The soup was cold and the bread was stale.",
        "Great place for a quick lunch with friends.",
        "the soup was cold, and the bread was stale!!",
        "The soup was hot.",
    ]
    assert [(pair.first, pair.second) for pair in near(texts)] == [(0, 2)]


def test_the_data_set_is_large_balanced_and_varied() -> None:
    reviews = read(sorted((DATA / "reviews").glob("*.tsv")))
    frozen = read([DATA / "frozen/elsewhere.tsv"])
    size = len(reviews.texts)
    assert size >= 4_000
    assert 0.45 <= sum(reviews.labels) / size <= 0.55
    assert len(set(reviews.themes)) >= 7
    pairs = near([*reviews.texts, *frozen.texts])
    inner = [pair for pair in pairs if pair.second < size]
    assert [p for p in inner if reviews.labels[p.first] == reviews.labels[p.second]] == []
    trained_on = [pair for pair in pairs if pair.first < size <= pair.second]
    assert trained_on == []


def test_the_lexicon_is_sound() -> None:
    priors, _ = lexicon.load()
    assert priors["delicious"] > 0 > priors["disgusting"]
    assert list(priors) == sorted(priors)


@pytest.mark.parametrize("line", ["good\tvery", "good\t0", "good\t9", "\t1", "bad\t-3"])
def test_a_wrong_prior_is_named(line: str) -> None:
    with pytest.raises(ModelError) as raised:
        lexicon.parse(f"Term\tPrior\nbad\t-3\n{line}\n")
    assert raised.value.where == "lexicon.tsv:3"
