"""Cookies and headers of a request, and the visit they make."""

from __future__ import annotations

import pytest

from serinus.services.app_frontend.identity import Visit, read

USER = "00112233445566778899aabbccddeeff"


def visit(track: str = "canary", **headers: str) -> Visit:
    pairs = [(k.replace("_", "-").encode(), v.encode("latin-1")) for k, v in headers.items()]
    return read(pairs, track)


@pytest.mark.parametrize(
    ("cookie", "assignment", "enrolment"),
    [
        ("app-version=canary.7.10", "canary.7.10", "assigned"),
        ("a=b; app-version=canary.7.10;c=d", "canary.7.10", "assigned"),
        ("app-version=canary.6.5; app-version=canary.7.10", "canary.7.10", "assigned"),
        ("app-version=canary.10.5; app-version=canary.9.10", "canary.10.5", "assigned"),
        ("app-version=stable.9.10; app-version=canary.7.10", "canary.7.10", "assigned"),
        ("app-version=canary", "canary", "forced"),
        ("app-version=canary; app-version=canary.7.10", "canary", "forced"),
        ("app-version=canary.7.10; app-version=stable", "canary", "forced"),
        ("app-version=stable.7.10", "", "none"),
        ("xapp-version=canary.7.10", "", "none"),
        ("app-version=canary.7.10x", "", "none"),
        ('app-version="canary.7.10"', "", "none"),
        ("app-version=canary.7.101", "", "none"),
        ("app-version", "", "none"),
        ("", "", "none"),
    ],
)
def test_the_assignment_is_read_from_cookies(cookie: str, assignment: str, enrolment: str) -> None:
    found = visit(cookie=cookie).assignment
    assert (str(found), found.enrolment) == (assignment, enrolment)


def test_the_draw_of_the_gateway_comes_first() -> None:
    found = visit(cookie="app-version=canary.6.5", x_assignment="canary.7.10")
    assert str(found.assignment) == "canary.7.10"
    assert found.drawn_now


def test_only_a_request_with_both_cookies_enrols() -> None:
    both = f"serinus-user={USER}; app-version=canary.7.10"
    assert visit(cookie=both).enrolled
    assert not visit(cookie="app-version=canary.7.10").enrolled
    assert not visit(cookie=f"serinus-user={USER}").enrolled
    assert not visit(cookie=f"serinus-user={USER}; app-version=canary").enrolled
    assert not visit(cookie=both, x_assignment="canary.8.10").enrolled
    assert not visit(cookie=both, sec_purpose="prefetch;prerender").enrolled
    assert not visit(cookie=both, purpose="prefetch").enrolled


@pytest.mark.parametrize("value", ["", "short", USER.upper(), USER + "0", "g" * 32])
def test_an_id_that_is_none_of_ours_is_replaced(value: str) -> None:
    found = visit(cookie=f"serinus-user={value}")
    assert found.is_new
    assert len(found.user) == 32
    assert found.user != value


def test_the_cookie_lives_thirty_days_and_is_secure_under_tls() -> None:
    plain, tls = visit(), visit(x_forwarded_proto="https")
    assert plain.set_cookie() == (
        f"serinus-user={plain.user}; Path=/; Max-Age=2592000; HttpOnly; SameSite=Lax"
    )
    assert tls.set_cookie().endswith("; SameSite=Lax; Secure")


def test_the_next_hop_is_told_who_visits() -> None:
    found = visit(cookie=f"serinus-user={USER}; app-version=canary.7.10", user_agent="Mozilla/5.0")
    assert found.headers() == {
        "x-user": USER, "x-client-class": "browser", "x-assignment": "canary.7.10",
    }  # fmt: skip
    assert "x-assignment" not in visit(cookie=f"serinus-user={USER}").headers()


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"user_agent": "Mozilla/5.0 (X11; Linux x86_64) Chrome/140.0 Safari/537.36"}, "browser"),
        ({"user_agent": "Mozilla/5.0 (compatible; Googlebot/2.1; +http)"}, "bot"),
        ({"user_agent": "Mozilla/5.0 HeadlessChrome/140.0"}, "bot"),
        ({"user_agent": "facebookexternalhit/1.1"}, "bot"),
        ({"user_agent": "Mozilla/5.0 (iPhone) Cubot"}, "bot"),
        ({"user_agent": "curl/8.5.0"}, "api"),
        ({"user_agent": "Lynx/2.9", "sec_fetch_mode": "navigate"}, "browser"),
        ({}, "api"),
    ],
)
def test_the_client_class(headers: dict[str, str], expected: str) -> None:
    assert visit(**headers).client_class == expected
