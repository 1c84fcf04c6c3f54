"""Terms of a text."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from serinus.model.text import terms


def words(text: str) -> list[str]:
    return [term for term in terms(text) if " " not in term]


def test_runs_of_words_stay_within_a_clause() -> None:
    assert terms("Good soup, bad bread") == [
        "good", "^ good", "soup", "^ good soup", "good soup",
        "bad", "^ bad", "bread", "^ bad bread", "bad bread",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("not very good at all today", ["not", "not_very", "not_good", "not_at", "all", "today"]),
        ("not good, cheap", ["not", "not_good", "cheap"]),
        ("not good but cheap", ["not", "not_good", "but", "cheap"]),
        ("didn’t like it", ["didn't", "not_like", "not_it"]),
        ("dont like it", ["dont", "not_like", "not_it"]),
        ("GREAT!!", ["great", "!", "!"]),
        ("really?", ["really", "?"]),
        ("soooo gooood", ["soo", "good"]),
        ("yum😋😋", ["yum", "😋", "😋"]),
        ("❤️", ["❤"]),
        ("“great” 'food'", ["great", "food"]),
        ("naïve", ["na", "ï", "ve"]),
        ("良い店", ["良", "い", "店"]),
    ],
)
def test_words(text: str, expected: list[str]) -> None:
    assert words(text) == expected


@pytest.mark.parametrize("text", ["", "   ", "\x00\x1b\x07", ".,;:", "\n\t"])
def test_a_text_without_words_has_no_terms(text: str) -> None:
    assert terms(text) == []


@given(st.text(st.characters(), max_size=300))
def test_any_text_has_terms_that_can_be_looked_up(text: str) -> None:
    assert all(isinstance(term, str) and term for term in terms(text))


def test_lone_surrogates_and_long_texts_are_read() -> None:
    assert "good" in terms("\ud83d good \udc00")
    assert len(terms("so bad " * 15_000)) > 60_000
