"""Headers, forged forms, and what visitors see when something is wrong."""

from __future__ import annotations

import html
from typing import Any

import pytest
from starlette.requests import ClientDisconnect, Request

from serinus.contracts.api import Problem
from serinus.services.app_frontend import forms
from serinus.services.app_frontend.api import RefusedError, UnavailableError


async def test_every_answer_carries_the_security_headers(visitor: Any) -> None:
    for path in ("/", "/privacy", "/nowhere", "/version", "/exposures/page.gif"):
        headers = (await visitor.get(path)).headers
        assert headers["cache-control"] == "private, no-store"
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["referrer-policy"] == "same-origin"
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy


async def test_pages_have_no_inline_style_or_script(visitor: Any) -> None:
    for path in ("/", "/privacy", "/nowhere", await visitor.write("Good.")):
        text = (await visitor.get(path)).body.decode()
        assert " style=" not in text
        assert "<style" not in text
        assert " on" not in [part[:3] for part in text.split("<")]
        assert text.count("<script") == text.count('<script type="module" src=') == 1


async def test_a_form_without_a_fitting_token_keeps_the_text(site: Any, visitor: Any) -> None:
    fields = await visitor.form("/", "/reviews")
    for token in ("", "0" * 59, await _token_of_another(site)):
        answer = await visitor.post("/reviews", {**fields, "csrf": token, "text": "Keep me."})
        assert answer.status == 403
        assert "Keep me.</textarea>" in answer.body.decode()
        assert not site.reviews.submissions
    fresh = visitor.page(answer).form("/reviews").fields
    assert (await visitor.post("/reviews", {**fresh, "text": "Keep me."})).status == 303


async def _token_of_another(site: Any) -> str:
    fields: dict[str, str] = await site.newcomer().form("/", "/reviews")
    return fields["csrf"]


async def test_without_cookies_the_second_try_works(site: Any) -> None:
    visitor = site.visitor()
    fields = await visitor.form("/", "/reviews")
    visitor.cookies.clear()
    answer = await visitor.post("/reviews", {**fields, "text": "Keep me."})
    assert answer.status == 403
    assert "serinus-user" in visitor.cookies
    fresh = visitor.page(answer).form("/reviews").fields
    assert (await visitor.post("/reviews", {**fresh, "text": "Keep me."})).status == 303


@pytest.mark.parametrize(
    "headers",
    [{"sec_fetch_site": "cross-site"}, {"sec_fetch_site": "same-site"},
     {"origin": "http://evil.test"}, {"origin": "null"}],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/reviews", "/reviews/abc/feedback", "/privacy/erase"])
async def test_another_site_cannot_send_a_form(
    site: Any, visitor: Any, path: str, headers: dict[str, str]
) -> None:
    fields = await visitor.form("/", "/reviews")
    sent = fields | {"text": "Evil.", "action": "confirm", "confirm": "yes"}
    answer = await visitor.post(path, sent, **headers)
    assert answer.status == 403
    assert "Evil." not in answer.body.decode()
    assert not site.reviews.submissions


async def test_feedback_and_erasure_need_the_token_too(site: Any, visitor: Any) -> None:
    address = await visitor.write("Good.")
    answer = await visitor.post(address + "/feedback", {"action": "confirm"})
    assert answer.status == 403
    assert site.reviews.reviews[address.rpartition("/")[2]][1].feedback is None
    again = visitor.page(answer).form("/feedback")
    assert (await visitor.post(again.action, again.fields)).status == 303
    assert (await visitor.post("/privacy/erase", {"confirm": "yes"})).status == 403
    assert site.reviews.reviews


async def test_bodies_are_limited(visitor: Any) -> None:
    fields = await visitor.form("/", "/reviews")
    answer = await visitor.post("/reviews", fields | {"text": "x" * 300_000})
    assert answer.status == 413
    assert "far too long" in answer.body.decode()
    answer = await visitor("POST", "/reviews", b"{}", content_type="application/json")
    assert answer.status == 415
    answer = await visitor.post("/reviews", {f"field{n}": "x" for n in range(50)})
    assert answer.status == 400


async def test_bytes_that_are_no_text_do_not_break_anything(site: Any, visitor: Any) -> None:
    fields = await visitor.form("/", "/reviews")
    raw = f"csrf={fields['csrf']}&key=%ff&text=".encode() + b"caf%E9 \xff good"
    kind = "application/x-www-form-urlencoded"
    answer = await visitor("POST", "/reviews", raw, content_type=kind)
    assert answer.status == 303
    assert "�" in site.reviews.submissions[0][0].text


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/nowhere", 404), ("GET", "/reviews/none", 404), ("GET", "/reviews/a%2Fb", 404),
     ("GET", "/reviews/" + "x" * 65, 404), ("GET", "/reviews", 405), ("DELETE", "/", 405),
     ("POST", "/", 405), ("GET", "/assets/x", 404)],
)  # fmt: skip
async def test_wrong_addresses_get_a_page(
    visitor: Any, method: str, path: str, status: int
) -> None:
    answer = await visitor(method, path)
    assert answer.status == status
    assert "<h1" in answer.body.decode()
    assert answer.headers["x-request-id"] in answer.body.decode()


async def test_while_app_service_is_away_pages_say_so(site: Any, visitor: Any) -> None:
    address = await visitor.write("Good.")
    form = visitor.page(await visitor.get(address)).form("/feedback")
    site.reviews.error = UnavailableError("gone", 5)
    assert (await visitor.get("/")).status == 200
    shown = await visitor.get(address)
    assert (shown.status, shown.headers["retry-after"]) == (503, "5")
    assert visitor.page(shown).form(address)  # tries the same address again
    answer = await visitor.post(form.action, form.fields | {"action": "override"})
    assert (answer.status, answer.headers["retry-after"]) == (503, "5")
    again = visitor.page(answer).form("/feedback")
    assert again.fields.items() >= {"action": "override", "sentiment": "negative"}.items()
    site.reviews.error = None
    assert (await visitor.post(again.action, again.fields)).status == 303
    assert site.reviews.reviews[address.rpartition("/")[2]][1].feedback.action == "override"


async def test_a_review_without_prediction_cannot_be_corrected(site: Any, visitor: Any) -> None:
    address = await visitor.write("Good.")
    form = visitor.page(await visitor.get(address)).form("/feedback")
    site.reviews.error = RefusedError(409, Problem("Conflict", 409))
    assert (await visitor.post(form.action, form.fields | {"action": "confirm"})).status == 409


@pytest.mark.parametrize("error", [RuntimeError("secret"), RefusedError(400, Problem("No", 400))])
async def test_a_bug_is_a_page_and_a_log_line(
    site: Any, visitor: Any, error: Exception, caplog: pytest.LogCaptureFixture
) -> None:
    address = await visitor.write("Good.")
    await visitor.get("/")  # so that the footer's versions are known
    site.reviews.error = error
    answer = await visitor.get(address)
    assert answer.status == 500
    text = html.unescape(answer.body.decode())
    assert "Something broke on our side" in text
    assert "secret" not in text
    assert caplog.records


async def test_erasing_forgets_the_visitor(site: Any, visitor: Any) -> None:
    address = await visitor.write("Forget me.")
    before = dict(visitor.cookies)
    fields = await visitor.form("/privacy", "/erase")
    unticked = await visitor.post("/privacy/erase", fields)
    assert unticked.status == 422
    assert unticked.body.decode().count("Tick the box") == 2
    assert site.reviews.reviews
    answer = await visitor.post("/privacy/erase", fields | {"confirm": "yes"})
    assert answer.headers["location"] == "/privacy?erased=1"
    assert "serinus-user" not in visitor.cookies
    assert visitor.cookies["app-version"] == before["app-version"]
    told = await visitor.get(answer.headers["location"])
    assert "The text of 1 review is gone" in told.body.decode()
    assert visitor.cookies["serinus-user"] != before["serinus-user"]
    assert (await visitor.get(address)).status == 404


@pytest.mark.parametrize("query", ["-1", "x", "<b>", "", "9999999", "²"])
async def test_the_count_in_the_address_is_a_count(visitor: Any, query: str) -> None:
    answer = await visitor.get(f"/privacy?erased={query}")
    assert answer.status == 200
    assert "Erased</h2>" not in answer.body.decode()


async def test_erasing_can_be_tried_again(site: Any, visitor: Any) -> None:
    fields = await visitor.form("/privacy", "/erase")
    site.reviews.error = UnavailableError("gone")
    answer = await visitor.post("/privacy/erase", fields | {"confirm": "yes"})
    assert answer.status == 503
    site.reviews.error = None
    again = visitor.page(answer).form("/erase")
    assert (await visitor.post(again.action, again.fields)).status == 303


async def test_a_browser_that_goes_away_is_no_error(
    visitor: Any, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def gone(_: Request) -> bytes:
        raise ClientDisconnect

    monkeypatch.setattr(forms, "_body", gone)
    answer = await visitor.post("/reviews", {"text": "Half a for"})
    assert answer.status == 400
    assert not [record for record in caplog.records if record.levelname == "ERROR"]
