"""The page to try the API: nothing from elsewhere, and it works in a real browser."""

from __future__ import annotations

import re

import pytest

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
