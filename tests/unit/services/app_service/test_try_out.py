"""The page to try the API: nothing from elsewhere, and it works in a real browser."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from axe_playwright_python.async_playwright import Axe
from playwright.async_api import async_playwright
from tests.support.app_service import Process

from .conftest import Client

FILES = ("/docs", "/docs/docs.js", "/docs/docs.css")


@pytest.mark.parametrize("path", FILES)
async def test_each_file_is_served_under_a_strict_policy(sqlite_client: Client, path: str) -> None:
    answer = await sqlite_client.ask("GET", path)
    assert answer.status == 200
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "unsafe" not in policy
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert not re.search(rb"https?://", answer.body)


async def test_the_page_has_no_inline_script_or_style(sqlite_client: Client) -> None:
    page = (await sqlite_client.ask("GET", "/docs")).body.decode()
    assert not re.search(r"<script(?![^>]*src=)|<style|\sstyle=|\son\w+=", page)
    for reference in re.findall(r'(?:src|href)="(/docs[^"]*)"', page):
        assert reference in FILES


@pytest.fixture
def process(tmp_path: Path) -> Iterator[Process]:
    made = Process({"SERINUS_DATA_DIR": str(tmp_path)})
    made.wait()
    yield made
    made.kill()


@pytest.mark.browser
@pytest.mark.parametrize(("width", "scheme"), [(1000, "light"), (320, "dark")])
async def test_a_browser_tries_the_api(process: Process, width: int, scheme: str) -> None:
    messages: list[str] = []
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(
            executable_path="/usr/bin/chromium",
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = await browser.new_page(
            viewport={"width": width, "height": 800},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        page.set_default_timeout(120_000)
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        await page.goto(f"{process.url}/docs")
        version = page.locator("details", has_text="GET /version").first
        await version.locator("summary").click()
        await version.get_by_role("button", name="Send").click()
        await version.locator("pre").wait_for()
        answer = await version.get_by_role("status").inner_text()
        assert "200" in answer
        assert '"app": "app-service"' in answer
        create = page.locator("details", has_text="POST /v1/reviews:").first
        key = create.get_by_label("idempotency-key")
        before = await key.input_value()
        await create.get_by_label("Body").fill('{"text": "Other soup."}')
        assert await key.input_value() != before, "another review gets another key"
        assert messages == []
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        found = await Axe().run(
            page, options={"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"]}
        )
        assert found.violations_count == 0, found.generate_report()
        await browser.close()
