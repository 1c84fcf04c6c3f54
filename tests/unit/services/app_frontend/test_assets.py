"""Assets are addressed by content, immutable, and compressed ahead."""

from __future__ import annotations

import gzip
import re

from tests.support.asgi import Answer

from serinus.services.app_frontend.assets import Assets


def test_addresses_carry_track_and_content() -> None:
    assert re.fullmatch(
        r"/assets/canary/[0-9a-f]{16}/style\.css", Assets("canary").url("style.css")
    )
    assert Assets("canary").build != Assets("stable").build


async def test_a_browser_may_keep_them_for_ever(visitor, site) -> None:  # type: ignore[no-untyped-def]
    home = await visitor.get("/")
    for address in re.findall(r'"(/assets/[^"]+)"', home.body.decode()):
        plain: Answer = await visitor.get(address)
        assert plain.status == 200
        assert plain.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert plain.headers["vary"] == "accept-encoding"
        assert "set-cookie" not in plain.headers
        small = await visitor.get(address, accept_encoding="br;q=1, gzip;q=0.8")
        assert small.headers["content-encoding"] == "gzip"
        assert gzip.decompress(small.body) == plain.body
        none = await visitor.get(address, accept_encoding="gzip;q=0")
        assert none.body == plain.body


async def test_no_cookie_comes_with_an_asset(site) -> None:  # type: ignore[no-untyped-def]
    answer = await site.newcomer().get(Assets("canary").url("app.js"))
    assert answer.status == 200
    assert "set-cookie" not in answer.headers


async def test_other_content_is_not_served_under_its_address(visitor) -> None:  # type: ignore[no-untyped-def]
    known = Assets("canary").url("style.css")
    other = known.replace(known.split("/")[3], "0" * 16)
    for address in (other, known + "x", "/assets/canary/x/../settings.py"):
        answer = await visitor.get(address)
        assert answer.status == 404
        assert "immutable" not in answer.headers["cache-control"]


async def test_the_other_track_serves_equal_content(visitor) -> None:  # type: ignore[no-untyped-def]
    assert (await visitor.get(Assets("stable").url("style.css"))).status == 200


def test_style_and_script_load_nothing_from_elsewhere() -> None:
    assets = Assets("stable")
    for name in ("style.css", "app.js"):
        _, _, _, digest, _ = assets.url(name).split("/")
        answer = assets.answer(digest, name, "")
        assert answer is not None
        assert not re.search(rb"url\(|@import|https?:", answer.body)
