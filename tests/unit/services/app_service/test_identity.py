"""Units and tokens: keyed, separate by purpose, compared whole."""

from __future__ import annotations

import hmac
from hashlib import sha256

import pytest

from serinus.services.app_service.identity import Identity

KEY = "a key of this test"
USER = "0123456789abcdef" * 2


def test_a_unit_is_the_head_of_an_hmac() -> None:
    unit = Identity(KEY).unit(USER)
    assert unit == hmac.new(KEY.encode(), USER.encode(), sha256).digest()[:16]
    assert unit == Identity(KEY).unit(USER)
    assert unit != Identity(KEY + "!").unit(USER)
    assert unit != Identity(KEY).unit(USER[::-1])


def test_an_anonymous_unit_belongs_to_its_idempotency_key() -> None:
    identity = Identity(KEY)
    assert identity.anonymous_unit(None) != identity.anonymous_unit(None)
    assert identity.anonymous_unit("key") == identity.anonymous_unit("key")
    assert identity.anonymous_unit(USER) != identity.unit(USER)


def test_digests_of_different_purposes_differ() -> None:
    identity = Identity(KEY)
    assert identity.digest("review", "x") != identity.digest("idempotency-key", "x")
    assert len(identity.digest("review", "x")) == 16


def test_a_token_opens_its_review_only() -> None:
    identity = Identity(KEY)
    token = identity.token(USER)
    assert identity.review_of(token) == USER
    assert Identity("another key of this test").review_of(token) is None


@pytest.mark.parametrize("change", ["", "x", "\n", "é", "="])
def test_an_altered_token_opens_nothing(change: str) -> None:
    identity = Identity(KEY)
    token = identity.token(USER)
    assert identity.review_of(token + change) == (USER if not change else None)
    assert identity.review_of("f" + token[1:]) is None
    other = "A" if token[-2] != "A" else "B"
    assert identity.review_of(token[:-2] + other + token[-1]) is None


@pytest.mark.parametrize(
    ("value", "good"),
    [(USER, True), (USER.upper(), False), (USER[1:], False), (USER + "\n", False), ("", False)],
)
def test_what_a_user_looks_like(value: str, good: bool) -> None:
    assert Identity.is_user(value) is good
