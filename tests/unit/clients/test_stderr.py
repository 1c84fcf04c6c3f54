"""What the engine writes past Python."""

from __future__ import annotations

import os

import pytest

from serinus.clients.stderr import readable

KLOG = 'I1126 20:17:53.180220    8930 warnings.go:107] "Warning: {}"\n'


def test_an_api_servers_warning_is_told_once_in_plain_words(
    capfd: pytest.CaptureFixture[str],
) -> None:
    with readable():
        os.write(2, KLOG.format(r"v1 \"Foo\" is deprecated").encode())
        os.write(2, KLOG.format(r"v1 \"Foo\" is deprecated").encode())
        os.write(2, b"E1126 something else\n")
        assert capfd.readouterr().err == ""
    assert capfd.readouterr().err == 'warning: v1 "Foo" is deprecated\nE1126 something else\n'


def test_what_is_known_of_the_rate_limit_is_not_told(capfd: pytest.CaptureFixture[str]) -> None:
    with readable():
        os.write(2, KLOG.format("EnvoyFilter exposes internal implementation details.").encode())
    assert capfd.readouterr().err == ""


def test_a_warning_that_go_quotes_its_own_way_is_told_as_it_is(
    capfd: pytest.CaptureFixture[str],
) -> None:
    line = KLOG.format(r"\x1b is no text")
    with readable():
        os.write(2, line.encode())
    assert capfd.readouterr().err == line


def test_a_failure_loses_nothing(capfd: pytest.CaptureFixture[str]) -> None:
    def fails() -> None:
        os.write(2, b"the reason\n")
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"), readable():
        fails()
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "the reason\nafter\n"
