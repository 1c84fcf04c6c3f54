"""Paths as Envoy 1.40 normalises them; every row was seen on the real one."""

from __future__ import annotations

import string

import pytest

from serinus.mesh.paths import normalise


@pytest.mark.parametrize(
    ("path", "normal"),
    [
        ("/", "/"),
        ("/a?x=/../y", "/a"),
        ("/%2e%2E/b", "/b"),
        ("/a/%2e%2e/b", "/b"),
        ("/a/./b/..", "/a/"),
        ("/a/b/.", "/a/b/"),
        ("/a/b/%2e", "/a/b/"),
        ("/..", "/"),
        ("//x/..//y", "///y"),
        (r"/a\..\b", "/b"),
        ("/a%3fb/../c", "/c"),
        ("/a/b;p/../c", "/a/c"),
        ("/a/..;/b", "/b"),
        ("/a/.;x/b", "/a/b"),
        ("/a/..;x=1/b", "/b"),
        ("/a/b/..;", "/a/"),
        ("/a/%2e%2e;/b", "/a/..;/b"),
        ("/a/...;/b", "/a/...;/b"),
        ("/a/b;..", "/a/b;.."),
        ("/a/..%3b/b", "/a/..%3b/b"),
        ("/.../x", "/.../x"),
        ("/a/..b", "/a/..b"),
        ("/%c3%a9", "/%c3%a9"),
        ("/a%2f..%2fb", "/a%2f..%2fb"),
        ("/a%zz", "/a%zz"),
        ("/a%2", "/a%2"),
        ('/a"<>^`{|}', "/a%22%3C%3E%5E%60%7B%7C%7D"),
        ("/a!$&'()*+,:;=@[]~_-.", "/a!$&'()*+,:;=@[]~_-."),
        ("", None),
        ("*", None),
        ("x/y", None),
        ("/a#f", "/a"),
        ("/a%00b", None),
        ("/é", None),
    ],
)
def test_paths(path: str, normal: str | None) -> None:
    assert normalise(path) == normal


def test_only_escapes_of_unreserved_characters_are_undone() -> None:
    unreserved = set(string.ascii_letters + string.digits + "-._~")
    undone = {
        chr(code) for code in range(1, 256) if normalise(f"/a%{code:02X}b") != f"/a%{code:02X}b"
    }
    assert undone == unreserved
    assert {
        chr(code) for code in range(1, 256) if normalise(f"/a%{code:02x}b") == f"/a{chr(code)}b"
    } == (unreserved)
