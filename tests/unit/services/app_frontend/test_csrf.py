"""Form tokens, and what a browser says of where a form came from."""

from __future__ import annotations

import pytest
from starlette.datastructures import Headers

from serinus.services.app_frontend.csrf import Csrf, same_origin

CSRF = Csrf("a-session-key-for-tests")


def test_a_token_is_for_one_visitor_and_one_key() -> None:
    token = CSRF.token("anna")
    assert CSRF.accepts(token, "anna")
    assert not CSRF.accepts(token, "bert")
    assert not Csrf("another-key-for-tests").accepts(token, "anna")
    assert Csrf("a-session-key-for-tests").accepts(token, "anna")


def test_tokens_differ_each_time() -> None:
    assert CSRF.token("anna") != CSRF.token("anna")


@pytest.mark.parametrize("token", ["", "x", "é" * 59, "\ud800", "0" * 59, "0" * 4000])
def test_nonsense_is_refused(token: str) -> None:
    assert not CSRF.accepts(token, "anna")


def test_each_character_of_a_token_counts() -> None:
    token = CSRF.token("anna")
    for at in range(len(token)):
        other = "0" if token[at] != "0" else "1"
        assert not CSRF.accepts(token[:at] + other + token[at + 1 :], "anna")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({}, True),
        ({"sec-fetch-site": "same-origin", "origin": "http://proxy.test"}, True),
        ({"sec-fetch-site": "none"}, True),
        ({"sec-fetch-site": "same-site"}, False),
        ({"sec-fetch-site": "cross-site"}, False),
        ({"origin": "http://serinus.test:8080"}, True),
        ({"origin": "http://SERINUS.test:8080"}, True),
        ({"origin": "http://serinus.test"}, False),
        ({"origin": "http://evil.test"}, False),
        ({"origin": "null"}, False),
    ],
)
def test_where_a_form_came_from(headers: dict[str, str], expected: bool) -> None:
    assert same_origin(Headers({"host": "serinus.test:8080", **headers})) is expected
